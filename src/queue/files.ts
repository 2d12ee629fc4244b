// Where the queues of a configuration lie, and who reads them.
import type { ExtensionFactory, Host, QueueStorage } from '../api/index.ts';
import type { Plan } from '../config/plan.ts';
import type { QueueLimits } from '../pipeline/outbox/store.ts';

export interface QueueFile {
  readonly settings: QueueStorage['queueFile'];
  /** The exporters that keep their queue in it. */
  readonly readers: ReadonlyMap<string, QueueLimits>;
}

/** One for each file; two extensions may name the same. */
export function queueFiles(plan: Plan): QueueFile[] {
  const files = new Map<string, { settings: QueueStorage['queueFile']; readers: Map<string, QueueLimits> }>();
  for (const id of plan.extensions) {
    const { factory, config } = plan.components.extensions.get(id)!;
    const storage = factory as ExtensionFactory;
    if (!storage.provides?.includes('storage')) continue;
    // `create` has no effects and needs nothing of the process here: only the place is asked for.
    const { queueFile } = storage.create(config, {} as Host) as QueueStorage;
    const file = files.get(queueFile.file) ?? { settings: queueFile, readers: new Map() };
    files.set(queueFile.file, file);
    for (const [exporter, { outbox }] of plan.components.exporters) {
      const queue = outbox?.sending_queue;
      if (!queue?.enabled || queue.storage !== id) continue;
      const { queue_size: capacity, sizer, on_full: onFull } = queue;
      file.readers.set(exporter, { capacity, sizer, onFull });
    }
  }
  return [...files.values()];
}
