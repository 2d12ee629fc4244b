// The entry of a worker thread. `workerData.preload` gives plugins the same `flamegate/api` as on the main thread.
import { workerData } from 'node:worker_threads';
import type { TaskInput, TaskName, TaskOutput } from './tasks.ts';

export interface Call<K extends TaskName = TaskName> {
  readonly task: K;
  readonly input: TaskInput<K>;
  /** In shared memory: set to 1 when the task begins. */
  readonly began: Int32Array;
}
/** What a task throws is a bug, and comes back as text: an error's class would be lost on the way. */
export type Answer<K extends TaskName = TaskName> =
  | { readonly ok: true; readonly value: TaskOutput<K> }
  | { readonly ok: false; readonly message: string };

await import((workerData as { preload: string }).preload);
const { tasks } = await import('./tasks.ts');

export default async function work({ task, input, began }: Call): Promise<Answer> {
  Atomics.store(began, 0, 1);
  try {
    const run = tasks[task] as (input: unknown) => unknown;
    return { ok: true, value: (await run(input)) as never };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
