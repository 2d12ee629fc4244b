import { resolve } from 'node:path';
import type { QueueStorage } from '../../api/index.ts';
import type { Config } from './config.ts';

const FILE = 'queue.db';

/** Says where the file lies and how it is kept; the pipeline, which knows what is in it, opens it. */
export class FileStorage implements QueueStorage {
  readonly queueFile: QueueStorage['queueFile'];

  constructor({ directory, sync, dead_letters }: Config) {
    this.queueFile = {
      file: resolve(directory, FILE),
      sync,
      deadLetters: { maxAgeMs: dead_letters.max_age, maxBytes: dead_letters.max_bytes },
    };
  }
}
