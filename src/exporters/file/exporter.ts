import { randomBytes } from 'node:crypto';
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
    const { profiles } = batch;
    for (let at = 0; at < profiles.length; at++) {
      try {
        await this.#write(batch, profiles[at]!);
      } catch (thrown) {
        // Space, rights and disks come back; the profile is good.
        const error = thrown as NodeJS.ErrnoException;
        this.#degrade(error);
        if (at === 0) return { kind: 'retryable', error };
        const owed = profiles.slice(at);
        return { kind: 'retryable', error, rest: { ...batch, profiles: owed, sizeBytes: sizeOf(owed) } };
      }
    }
    return ACCEPTED;
  }

  async #write(batch: ProfileBatch, profile: Profile): Promise<void> {
    const { form, encoding, bytes: received } = profile.payload;
    const compress = form === 'pprof' && encoding === 'identity';
    const bytes = compress ? await gzip(received) : received;
    const sequence = ++this.#sequence;
    const base = fileName(this.#config.name, batch, profile, sequence);
    const name = `${base}${endingOf(form, compress ? 'gzip' : encoding)}`;
    try {
      await this.#place(bytes, name, sequence);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Somebody tidied the folder away.
      await mkdir(this.#config.path, { recursive: true });
      await this.#place(bytes, name, sequence);
    }
    await this.#tidy(name, bytes.length);
  }

  async #place(bytes: Uint8Array, name: string, sequence: number): Promise<void> {
    const temporary = join(this.#config.path, `.flamegate-${this.#mark}-${sequence}.tmp`);
    try {
      await writeFile(temporary, bytes);
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

function sizeOf(profiles: readonly Profile[]): number {
  let size = 0;
  for (const { payload, origin } of profiles) {
    size += payload.bytes.length;
    for (const part of Object.values(origin?.parts ?? {})) size += part.length;
  }
  return size;
}
