import { unlink } from 'node:fs/promises';
import {
  BatchId,
  type Consumer,
  counters,
  type Host,
  type Instrument,
  type Profile,
  type ProfileBatch,
} from '../../api/index.ts';
import { bytesOfProfiles, sizeOfProfiles } from '../../model/batch.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import type { Config } from './config.ts';
import { contentsOf, Held } from './contents.ts';
import type { Found } from './ledger.ts';
import type { PathPattern } from './pattern.ts';
import { profilesOf } from './profiles.ts';
import { isUnchanged, readWhole } from './whole-file.ts';

/** What became of a file. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly deleted?: true }
  /** Never again as it is: it was counted and logged. */
  | { readonly kind: 'rejected' }
  /** Not there any more, at least not under this name. */
  | { readonly kind: 'gone' }
  /** It was written to while it was read. */
  | { readonly kind: 'changed' }
  /** Another time. `why`: an operator should look. */
  | { readonly kind: 'later'; readonly delayMs?: number; readonly why?: Error };

/** Tries after which a file is given up that the gateway itself fails on. */
const MAX_FAULTS = 5;
const GONE: Outcome = { kind: 'gone' };
const REJECTED: Outcome = { kind: 'rejected' };

/** Takes one file through: read, look, hand on, and delete where that is asked for. */
export class Delivery {
  readonly #config: Config;
  readonly #host: Host;
  readonly #next: Consumer<'profiles'>;
  readonly #patterns: readonly PathPattern[];
  readonly #rejected: Instrument;
  readonly #dropped: Instrument;
  readonly #losses: Instrument;

  constructor(config: Config, patterns: readonly PathPattern[], host: Host, next: Consumer<'profiles'>) {
    this.#config = config;
    this.#host = host;
    this.#next = next;
    this.#patterns = patterns;
    this.#rejected = counters.rejected(host.metrics);
    this.#dropped = counters.dropped(host.metrics);
    this.#losses = counters.losses(host.metrics);
  }

  /** @param tries how often it was put off before */
  async take(file: Found, tries: number, abort: AbortSignal): Promise<Outcome> {
    const held = new Held(this.#host.memory);
    try {
      const outcome = await this.#take(file, tries, held, abort);
      if (outcome.kind === 'accepted' && this.#config.delete_after_read && (await this.#delete(file)))
        return { kind: 'accepted', deleted: true };
      return outcome;
    } catch (thrown) {
      if (thrown instanceof DecodeError) {
        const { reason, message, retryAfterMs } = thrown;
        if (retryAfterMs !== undefined) return { kind: 'later', delayMs: retryAfterMs };
        return this.#reject(file, reason, message);
      }
      const error = thrown as NodeJS.ErrnoException;
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return GONE;
      // Rights and disks come back.
      if (error.syscall !== undefined) return { kind: 'later', why: error };
      throw error;
    } finally {
      held.release();
    }
  }

  async #take(file: Found, tries: number, held: Held, abort: AbortSignal): Promise<Outcome> {
    const { max_file_size, max_inflated_size } = this.#config;
    if (file.size > max_file_size)
      throw new DecodeError('body_too_large', `longer than max_file_size, which is ${max_file_size} bytes`);
    const bytes = await readWhole(file, size => held.lease(size));
    if (!bytes) return { kind: 'changed' };
    const contents = await contentsOf(bytes, max_inflated_size, this.#host, held);
    const labels = this.#labelsOf(file.path);
    const { dialect, profiles, empty } = profilesOf(contents, labels, Number(file.modifiedNs / 1_000_000n));
    const outcome =
      profiles.length === 0
        ? ({ kind: 'accepted' } as const)
        : await this.#consume(file, tries, dialect, profiles, [...labels].flat(), abort);
    if (outcome.kind !== 'accepted') return outcome;
    // A file that is read again brings them again.
    if (empty > 0) this.#dropped.record(empty, { reason: 'empty_profile' });
    for (const { reason, items } of contents.losses) this.#losses.record(items, { reason });
    return outcome;
  }

  async #consume(
    file: Found,
    tries: number,
    dialect: ProfileBatch['dialect'],
    profiles: readonly Profile[],
    labels: readonly string[],
    abort: AbortSignal,
  ): Promise<Outcome> {
    const result = await this.#next.consume(
      {
        signal: 'profiles',
        // The same file is the same batch, also for the next process; a copy of it elsewhere is another.
        id: new BatchId(() => ['file', file.path, ...labels, ...bytesOfProfiles(profiles)]),
        tenant: '',
        dialect,
        receivedMs: this.#host.clock.now(),
        sizeBytes: sizeOfProfiles(profiles),
        profiles,
      },
      abort,
    );
    switch (result.kind) {
      case 'accepted':
        return { kind: 'accepted' };
      case 'permanent':
        // A file waits: it may have come while the pipeline was being built or changed.
        if (result.fault === 'gateway' && tries < MAX_FAULTS) return { kind: 'later', why: result.error };
        return this.#reject(file, 'not_accepted', result.error.message);
      default: {
        const { kind, retryAfterMs } = result;
        this.#host.log.debug('file is tried again later', { path: file.path, outcome: kind });
        return { kind: 'later', ...(retryAfterMs !== undefined && { delayMs: retryAfterMs }) };
      }
    }
  }

  /** Of the first pattern that the path fits; what the path says stands before what the configuration says. */
  #labelsOf(path: string): Map<string, string> {
    const labels = new Map(Object.entries(this.#config.labels));
    for (const pattern of this.#patterns) {
      const found = pattern.labelsOf(path);
      if (!found) continue;
      for (const [name, value] of found) labels.set(name, value);
      break;
    }
    return labels;
  }

  #reject(file: Found, reason: string, message: string): Outcome {
    this.#rejected.record(1, { protocol: 'file', reason });
    this.#host.log.warn('file rejected', { path: file.path, reason, message });
    return REJECTED;
  }

  /** It is delivered, whatever happens here: it must not be read again. */
  async #delete(file: Found): Promise<boolean> {
    try {
      // What was written over it meanwhile is another profile.
      if (!(await isUnchanged(file))) return false;
      await unlink(file.path);
      return true;
    } catch (thrown) {
      const error = thrown as NodeJS.ErrnoException;
      if (error.code !== 'ENOENT') this.#host.log.warn('file cannot be deleted', { path: file.path, error });
      return false;
    }
  }
}
