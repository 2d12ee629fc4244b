import { randomBytes } from 'node:crypto';
import { mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ACCEPTED,
  type Component,
  type Drop,
  type Host,
  type ProfileBatch,
  type Result,
  type Sender,
} from '../../api/index.ts';
import { sizeOfProfiles } from '../../model/batch.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import type { Config } from './config.ts';
import { contentOf, type Document, documentsOf } from './documents.ts';
import { fileName } from './file-name.ts';
import { Retention } from './retention.ts';

/** Writes beside the final name and renames: a reader never sees half a file. */
export class FileExporter implements Component, Sender<'profiles'> {
  readonly #config: Config;
  readonly #host: Host;
  readonly #retention: Retention;
  /** Keeps the temporary files of several exporters on one folder apart. */
  readonly #mark = randomBytes(4).toString('hex');
  #sequence = 0;
  #degraded = false;

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#host = host;
    this.#retention = new Retention(config);
  }

  async start(): Promise<void> {
    await mkdir(this.#config.path, { recursive: true });
    await this.#retention.scan(this.#host.clock.now());
  }

  async send(batch: ProfileBatch): Promise<Result<ProfileBatch>> {
    const documents = documentsOf(batch.profiles);
    const drops: Drop[] = [];
    for (const [at, document] of documents.entries()) {
      try {
        await this.#write(batch, document);
      } catch (thrown) {
        if (thrown instanceof DecodeError) {
          drops.push({ items: document.length, reason: 'bad_profile', message: thrown.message });
          continue;
        }
        // Space, rights and disks come back; the profile is good.
        const error = thrown as NodeJS.ErrnoException;
        this.#degrade(error);
        const owed = documents.slice(at).flat();
        if (owed.length === batch.profiles.length) return { kind: 'retryable', error };
        return { kind: 'retryable', error, rest: { ...batch, profiles: owed, sizeBytes: sizeOfProfiles(owed) } };
      }
    }
    if (drops.length === 0) return ACCEPTED;
    if (drops.length === documents.length)
      return { kind: 'permanent', error: new Error(drops[0]!.message), fault: 'sender' };
    return { kind: 'accepted', drops };
  }

  async #write(batch: ProfileBatch, document: Document): Promise<void> {
    const { chunks, ending } = await contentOf(document, this.#config.format === 'otlp_json');
    const sequence = ++this.#sequence;
    const name = `${fileName(this.#config.name, batch, document[0], sequence)}${ending}`;
    try {
      await this.#place(chunks, name, sequence);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Somebody tidied the folder away.
      await mkdir(this.#config.path, { recursive: true });
      await this.#place(chunks, name, sequence);
    }
    await this.#tidy(
      name,
      chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    );
  }

  async #place(chunks: readonly Uint8Array[], name: string, sequence: number): Promise<void> {
    const temporary = join(this.#config.path, `.flamegate-${this.#mark}-${sequence}.tmp`);
    try {
      await writeFile(temporary, chunks);
      await rename(temporary, join(this.#config.path, name));
    } catch (error) {
      // It may never have come to be; the error that matters is the first.
      await unlink(temporary).catch(() => {});
      throw error;
    }
  }

  /** The file is written: whatever happens to older ones, the profile must not be written again. */
  async #tidy(name: string, size: number): Promise<void> {
    try {
      await this.#retention.added(name, size, this.#host.clock.now());
    } catch (thrown) {
      const error = thrown as Error;
      this.#host.log.warn('old file cannot be deleted', { error });
      this.#degrade(error);
      return;
    }
    if (!this.#degraded) return;
    this.#degraded = false;
    this.#host.report('ok');
  }

  #degrade(why: Error): void {
    this.#degraded = true;
    this.#host.report('degraded', why);
  }
}
