/**
 * A worker with the workflows of `tests.differential.scenarios.languages` in TypeScript, and a client that does as it is told.
 *
 * One line of JSON on standard input is one thing to do, one line on standard output its answer: `tests/differential/player.py` is the other end.
 */
import { createInterface } from 'node:readline';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';

interface Asked {
  n: number;
  do: string;
  id: string;
  type?: string;
  name?: string;
  args?: unknown[];
  memo?: Record<string, unknown>;
  history?: string;
}

const workflowsPath = require.resolve('./workflows');

async function carryOut(client: Client, taskQueue: string, asked: Asked): Promise<unknown> {
  const args = asked.args ?? [];
  const name = asked.name ?? '';
  if (asked.do === 'start') {
    await client.workflow.start(asked.type ?? '', { args, workflowId: asked.id, taskQueue, memo: asked.memo });
    return null;
  }
  if (asked.do === 'replay') {
    await Worker.runReplayHistory({ workflowsPath }, JSON.parse(asked.history ?? ''), asked.id);
    return null;
  }
  const handle = client.workflow.getHandle(asked.id);
  switch (asked.do) {
    case 'result':
      return await handle.result();
    case 'signal':
      return await handle.signal(name, ...args);
    case 'query':
      return await handle.query(name, ...args);
    case 'update':
      return await handle.executeUpdate(name, { args: args as [unknown] });
    case 'cancel':
      await handle.cancel();
      return null;
    default:
      throw new Error(asked.do);
  }
}

/** The last word of a chain of failures. */
function told(error: unknown): string {
  let last = error as Error;
  while (last.cause instanceof Error && 'failure' in last.cause) last = last.cause;
  while (last.cause instanceof Error && last.constructor.name.match(/WorkflowFailedError|UpdateFailedError|ActivityFailure|ChildWorkflowFailure/)) last = last.cause;
  return last.message;
}

async function main(address: string, taskQueue: string): Promise<void> {
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => {}),
    telemetryOptions: { logging: { filter: 'OFF' } },
    workerHeartbeatInterval: 0,
  });
  const connection = await Connection.connect({ address });
  const forWorker = await NativeConnection.connect({ address });
  const client = new Client({ connection, identity: 'client' });
  const worker = await Worker.create({
    connection: forWorker,
    taskQueue,
    workflowsPath,
    activities,
    identity: 'worker',
    maxHeartbeatThrottleInterval: 100,
    shutdownForceTime: '1s',
  });

  const answering: Promise<void>[] = [];
  const answer = async (asked: Asked): Promise<void> => {
    let said: object;
    try {
      said = { n: asked.n, value: await carryOut(client, taskQueue, asked) };
    } catch (error) {
      said = { n: asked.n, error: told(error) };
    }
    process.stdout.write(JSON.stringify(said) + '\n');
  };
  await worker.runUntil(
    (async () => {
      for await (const line of createInterface({ input: process.stdin })) answering.push(answer(JSON.parse(line)));
      await Promise.all(answering);
    })(),
  );
  await forWorker.close();
  await connection.close();
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
