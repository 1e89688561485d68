/**
 * Hello world: a workflow with an activity, a query, an update and a signal, with the official TypeScript SDK.
 *
 *     cd examples/typescript
 *     npm ci
 *     npm start
 *
 * TEMPORAL_ADDRESS says where the server is; localhost:7233 otherwise.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import * as activities from './activities';
import { approve, greeting, language, setLanguage } from './workflows';

const TASK_QUEUE = 'hello-typescript';

async function greet(client: Client): Promise<void> {
  const handle = await client.workflow.start(greeting, {
    args: ['world'],
    workflowId: `hello-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
  });
  console.log('query:', await handle.query(language));
  console.log('update: no longer', await handle.executeUpdate(setLanguage, { args: ['French'] }));
  await handle.signal(approve);
  console.log('result:', await handle.result());
}

async function main(): Promise<void> {
  const address = process.env.TEMPORAL_ADDRESS ?? 'localhost:7233';
  const connection = await Connection.connect({ address });
  const forWorker = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: forWorker,
    taskQueue: TASK_QUEUE,
    workflowsPath: require.resolve('./workflows'),
    activities,
  });
  await worker.runUntil(greet(new Client({ connection })));
  await forWorker.close();
  await connection.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
