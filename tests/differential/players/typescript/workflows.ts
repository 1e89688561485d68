/** The workflows of `tests.differential.scenarios.languages` in TypeScript. */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type * as activities from './activities';

const SOON = '10ms';
const LATE = '1h';
const ACTIVITY = { startToCloseTimeout: '10s' } as const;
const RETRY = { initialInterval: SOON, backoffCoefficient: 1, maximumAttempts: 5 } as const;

const { echo, refuse } = proxyActivities<typeof activities>(ACTIVITY);
const { flaky } = proxyActivities<typeof activities>({ ...ACTIVITY, retry: RETRY });
const { beat } = proxyActivities<typeof activities>({ ...ACTIVITY, retry: RETRY, heartbeatTimeout: '20s' });
const { hang } = proxyActivities<typeof activities>({
  startToCloseTimeout: '60s',
  heartbeatTimeout: '20s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});
const local = proxyLocalActivities<typeof activities>(ACTIVITY);

const add = defineSignal<[string]>('add');
const finish = defineSignal('finish');
const stop = defineSignal('stop');
const go = defineSignal('go');
const state = defineQuery<string>('state');
const append = defineUpdate<string, [string]>('append');

export async function Sequence(): Promise<string> {
  let all = '';
  for (const text of 'abc') all += await echo(text);
  return all;
}

export async function FanOut(): Promise<string> {
  return (await Promise.all([...'01234'].map((text) => echo(text)))).join('');
}

export async function Retries(): Promise<string> {
  return await flaky('there');
}

export async function Refused(): Promise<string> {
  try {
    return await refuse('no');
  } catch (error) {
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) return `refused: ${error.cause.message}`;
    throw error;
  }
}

export async function Timers(): Promise<string> {
  const scope = new CancellationScope();
  const late = scope.run(() => sleep(LATE));
  late.catch(() => {});
  await sleep(SOON);
  scope.cancel();
  await late.catch(() => {});
  await sleep(SOON);
  return 'done';
}

export async function Patience(): Promise<string> {
  let told = false;
  setHandler(go, () => {
    told = true;
  });
  if (!(await condition(() => false, SOON))) await condition(() => told, LATE);
  return await echo('in time');
}

export async function Signals(): Promise<string> {
  const words: string[] = [];
  setHandler(add, (word) => {
    words.push(word);
  });
  await condition(() => words.length === 3);
  return words.join(' ');
}

export async function Queries(): Promise<string> {
  let step = 'started';
  setHandler(state, () => step);
  setHandler(finish, () => {
    step = 'finished';
  });
  await condition(() => step === 'finished');
  return step;
}

export async function Scope(): Promise<string> {
  let stopped = false;
  setHandler(stop, () => {
    stopped = true;
  });
  const scope = new CancellationScope();
  const hanging = scope.run(() => hang());
  hanging.catch(() => {});
  await condition(() => stopped);
  scope.cancel();
  try {
    return await hanging;
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return await echo('cleaned');
  }
}

export async function Cancelled(): Promise<string> {
  try {
    await sleep(LATE);
  } catch (error) {
    if (error instanceof CancelledFailure) await CancellationScope.nonCancellable(() => echo('cleaned'));
    throw error;
  }
  return 'late';
}

export async function ContinueAsNew(left: number): Promise<string> {
  if (left > 0) await continueAsNew<typeof ContinueAsNew>(left - 1);
  return 'done';
}

export async function LocalActivities(): Promise<string> {
  return (await local.echo('a')) + (await local.echo('b'));
}

/** This SDK has none: what is random or of the clock is given by the workflow itself. */
export async function SideEffect(): Promise<string> {
  return await echo('seven');
}

export async function Patched(): Promise<string> {
  return await echo(patched('change') ? 'new' : 'old');
}

export async function Leaf(text: string): Promise<string> {
  return `leaf ${text}`;
}

export async function Child(): Promise<string> {
  return await executeChild(Leaf, { args: ['green'], workflowId: `${workflowInfo().workflowId}-child` });
}

export async function ChildFails(): Promise<string> {
  try {
    return await executeChild(Failing, { workflowId: `${workflowInfo().workflowId}-child` });
  } catch (error) {
    if (error instanceof ChildWorkflowFailure && error.cause instanceof ApplicationFailure) return `child failed: ${error.cause.message}`;
    throw error;
  }
}

export async function Receiver(): Promise<string> {
  let received = '';
  setHandler(add, (word) => {
    received = word;
  });
  await condition(() => received !== '');
  return received;
}

export async function ExternalSignal(target: string): Promise<string> {
  await getExternalWorkflowHandle(target).signal(add, 'from outside');
  return 'sent';
}

export async function Updates(): Promise<string> {
  const words: string[] = [];
  let finished = false;
  const check = (word: string): void => {
    if (!word) throw ApplicationFailure.create({ message: 'empty', type: 'Empty' });
  };
  setHandler(
    append,
    async (word) => {
      words.push(await echo(word));
      return words.join(' ');
    },
    { validator: check },
  );
  setHandler(finish, () => {
    finished = true;
  });
  await condition(() => finished);
  return words.join(' ');
}

export async function Memo(): Promise<string> {
  upsertMemo({ step: 'one' });
  return await echo(String(workflowInfo().memo?.note));
}

export async function SearchAttributes(): Promise<string> {
  upsertSearchAttributes([{ key: defineSearchAttributeKey('Colour', SearchAttributeType.KEYWORD), value: 'blue' }]);
  return await echo('blue');
}

export async function Heartbeat(): Promise<string> {
  return await beat();
}

export async function Saga(): Promise<string> {
  const done: string[] = [];
  try {
    for (const step of ['hotel', 'flight']) done.push(await echo(step));
    return await refuse('car');
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    for (const step of done.reverse()) await echo(`no ${step}`);
    throw ApplicationFailure.nonRetryable('no trip', 'Saga');
  }
}

export async function Failing(): Promise<string> {
  throw ApplicationFailure.nonRetryable('broken', 'Broken');
}
