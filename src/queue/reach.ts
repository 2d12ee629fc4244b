import { existsSync } from 'node:fs';
import type { Plan } from '../config/plan.ts';
import { QueueDatabase } from '../pipeline/outbox/disk/database.ts';
import { mendLogFile } from '../pipeline/outbox/disk/log-file.ts';
import { QueueFileError } from '../pipeline/outbox/disk/schema.ts';
import { nextOf } from '../pipeline/outbox/disk/swap.ts';
import type { QueueOperations } from '../pipeline/outbox/operations.ts';
import type { QueueFile } from './files.ts';
import { RemoteOperations } from './remote.ts';
import { StoppedOperations } from './stopped.ts';

/** A queue file and the way to it. */
export interface Reached {
  readonly file: QueueFile;
  readonly how: 'file' | 'gateway';
  /** How it was reached, for people. */
  readonly said: string;
  readonly queues: QueueOperations;
  close(): void;
}

/**
 * The file itself when nobody has it, otherwise the gateway that does; undefined when there is no file yet.
 * @throws Error with a sentence
 */
export function reach(file: QueueFile, plan: Plan): Reached | undefined {
  const { file: path, sync } = file.settings;
  if (!existsSync(path) && existsSync(nextOf(path)))
    throw new QueueFileError(
      'corrupt',
      `${path}: a gateway ended while it recovered it, one that starts goes on with that`,
    );
  // Opening would make it.
  if (!existsSync(path)) return undefined;
  try {
    // As a gateway does before it opens the file: SQLite would throw away what stands behind a damaged place of the log.
    const mended = mendLogFile(path, Date.now());
    const queues = new StoppedOperations(QueueDatabase.open(path, sync), file);
    return {
      file,
      how: 'file',
      said: [`${path}: no process has it, opened directly`, ...mended].join('\n'),
      queues,
      close: () => queues.close(),
    };
  } catch (error) {
    if (!(error instanceof QueueFileError)) throw error;
    if (error.reason === 'corrupt')
      throw new QueueFileError(
        'corrupt',
        `${error.message}; the file is damaged: a gateway that starts on it sets it aside and takes over what can be read`,
        error,
      );
    if (error.reason !== 'in_use') throw error;
    const queues = new RemoteOperations(path, plan.telemetry.admin);
    return {
      file,
      how: 'gateway',
      said: `${path}: in use, asked the gateway at ${queues.base.origin}`,
      queues,
      close: () => queues.close(),
    };
  }
}
