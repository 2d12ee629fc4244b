// The entry of a worker thread. `workerData.preload` gives plugins the same `flamegate/api` as on the main thread.
import { getHeapStatistics } from 'node:v8';
import { threadId, workerData } from 'node:worker_threads';
import type { TaskInput, TaskName, TaskOutput } from './tasks.ts';

export interface Call<K extends TaskName = TaskName> {
  readonly task: K;
  readonly input: TaskInput<K>;
  /** In shared memory: set to 1 when the task begins. */
  readonly began: Int32Array;
}
/** What the thread holds once the task is done: a leak of many short tasks shows nowhere else. */
export interface Left {
  readonly threadId: number;
  /** Heap and array buffers. */
  readonly heldBytes: number;
}
/** What a task throws is a bug, and comes back as text: an error's class would be lost on the way. */
export type Answer<K extends TaskName = TaskName> =
  | ({ readonly ok: true; readonly value: TaskOutput<K> } & Left)
  | ({ readonly ok: false; readonly message: string } & Left);

await import((workerData as { preload: string }).preload);
const { tasks } = await import('./tasks.ts');

export default async function work({ task, input, began }: Call): Promise<Answer> {
  Atomics.store(began, 0, 1);
  try {
    const run = tasks[task] as (input: unknown) => unknown;
    return { ok: true, value: (await run(input)) as never, ...left() };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? (error.stack ?? error.message) : String(error), ...left() };
  }
}

function left(): Left {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return { threadId, heldBytes: used_heap_size + external_memory };
}
