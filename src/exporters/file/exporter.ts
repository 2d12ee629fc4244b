import { mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ACCEPTED,
  type Component,
  type Host,
  type Profile,
  type ProfileBatch,
  type Result,
  type Sender,
} from '../../api/index.ts';
import { gzip } from '../../wire/gzip.ts';
import type { Config } from './config.ts';
import { endingOf, fileName } from './file-name.ts';
import { Retention } from './retention.ts';

/** Writes beside the final name and renames: a reader never sees half a file. */
export class FileExporter implements Component, Sender<'profiles'> {
  readonly #config: Config;
  readonly #host: Host;
  readonly #retention: Retention;
  #sequence = 0;

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#host = host;
    this.#retention = new Retention(config);
  }

  async start(): Promise<void> {
    await mkdir(this.#config.path, { recursive: true });
    await this.#retention.scan();
  }

  async send(batch: ProfileBatch): Promise<Result<ProfileBatch>> {
    for (const [at, profile] of batch.profiles.entries()) {
      try {
        await this.#write(batch, profile);
      } catch (thrown) {
        const error = thrown as NodeJS.ErrnoException;
        // Space, rights and disks come back; the profile is good.
        this.#host.report('degraded', error);
        if (at === 0) return { kind: 'retryable', error };
        const profiles = batch.profiles.slice(at);
        const sizeBytes = profiles.reduce((sum, { payload }) => sum + payload.bytes.length, 0);
        return { kind: 'retryable', error, rest: { ...batch, profiles, sizeBytes } };
      }
    }
    return ACCEPTED;
  }

  async #write(batch: ProfileBatch, profile: Profile): Promise<void> {
    const { payload } = profile;
    const compress = payload.form === 'pprof' && payload.encoding === 'identity';
    const bytes = compress ? await gzip(payload.bytes) : payload.bytes;
    const base = fileName(this.#config.name, batch, profile, ++this.#sequence);
    const name = `${base}${endingOf(payload.form, compress || payload.encoding === 'gzip')}`;
    const temporary = join(this.#config.path, `.${process.pid}-${this.#sequence}.tmp`);
    try {
      await writeFile(temporary, bytes);
      await rename(temporary, join(this.#config.path, name));
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    await this.#retention.added(name, bytes.length, this.#host.clock.now());
  }
}
