import { ApplicationFailure, Context, sleep } from '@temporalio/activity';

export async function echo(text: string): Promise<string> {
  return text;
}

export async function flaky(text: string): Promise<string> {
  const { attempt } = Context.current().info;
  if (attempt < 3) throw ApplicationFailure.create({ message: `attempt ${attempt}`, type: 'Flaky' });
  return `${text} at attempt ${attempt}`;
}

export async function refuse(text: string): Promise<string> {
  throw ApplicationFailure.nonRetryable(text, 'Refused');
}

export async function beat(): Promise<string> {
  const { attempt, heartbeatDetails } = Context.current().info;
  if (attempt > 1) return String(heartbeatDetails);
  Context.current().heartbeat('half');
  throw ApplicationFailure.create({ message: 'the other half', type: 'Half' });
}

export async function hang(): Promise<string> {
  for (;;) {
    Context.current().heartbeat();
    await sleep(50);
  }
}
