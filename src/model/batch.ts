import { createHash } from 'node:crypto';
import type { Attributes } from './attributes.ts';
import type { Origin, Payload } from './payload.ts';

export type Signal = 'profiles' | 'traces' | 'metrics';

/** How attribute names are spelled: `pyroscope` (service_name) or `otel` (service.name). */
export type Dialect = 'pyroscope' | 'otel';

/** One pprof body, or one ResourceProfiles of an OTLP request (`part` says which one of a shared payload). */
export interface Profile {
  readonly attributes: Attributes;
  readonly payload: Payload;
  readonly part: number;
  readonly origin?: Origin;
}

interface Head<S extends Signal> {
  readonly signal: S;
  /** Identity of the content: two tries of one request have the same. Lazy, since it costs a hash of all bytes. */
  readonly id: BatchId;
  /** `X-Scope-OrgID` or its like; '' when the sender named none. Kept apart from attributes, never merged across batches. */
  readonly tenant: string;
  readonly dialect: Dialect;
  readonly receivedMs: number;
  /** Bytes of all payloads and parts, as they came. What queues are measured in. */
  readonly sizeBytes: number;
}

/** One received request of one tenant. Deeply readonly: a processor returns a new envelope that shares the payload. */
export interface ProfileBatch extends Head<'profiles'> {
  readonly profiles: readonly Profile[];
}
export interface TraceBatch extends Head<'traces'> {
  readonly payload: Payload;
}
export interface MetricBatch extends Head<'metrics'> {
  readonly points: readonly {
    readonly name: string;
    readonly attributes: Attributes;
    readonly value: number | bigint;
  }[];
}
export interface Batches {
  profiles: ProfileBatch;
  traces: TraceBatch;
  metrics: MetricBatch;
}

/**
 * A content hash that is computed on first use, while the bytes are still held, and shared by every envelope of the batch.
 * The parts it is made of can be handed to another thread, so that a queue hashes where it writes.
 */
export class BatchId {
  #hex: string | undefined;
  readonly #parts: () => readonly (string | Uint8Array)[];
  /** @param parts what a second try of the same request has in common */
  constructor(parts: () => readonly (string | Uint8Array)[]) {
    this.#parts = parts;
  }
  /** One that was computed before. */
  static of(hex: string): BatchId {
    const id = new BatchId(() => []);
    id.#hex = hex;
    return id;
  }
  /** The hash, or what it is made of. */
  get recipe(): string | readonly (string | Uint8Array)[] {
    return this.#hex ?? this.#parts();
  }
  /** Takes the hash that another thread computed of the recipe. */
  learn(hex: string): void {
    this.#hex ??= hex;
  }
  /** 40 hex digits. Costs about 0.6 µs per KB of payload the first time. */
  get hex(): string {
    this.#hex ??= hashOf(this.#parts());
    return this.#hex;
  }
  toString(): string {
    return this.hex;
  }
}

/** 40 hex digits. Each part counts with its length, so that bytes cannot move from one to the next unseen. */
export function hashOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(`${part.length}\n`).update(part);
  return hash.digest('hex');
}

/** How many items a batch counts as in metrics and drops: profiles, points, or one trace request. */
export function itemsOf(batch: ProfileBatch | TraceBatch | MetricBatch): number {
  if (batch.signal === 'profiles') return batch.profiles.length;
  return batch.signal === 'metrics' ? batch.points.length : 1;
}

/** Every distinct byte range that a batch borrows: payloads and parts, each once. */
export function* bytesOf(batch: ProfileBatch | TraceBatch | MetricBatch): Generator<Uint8Array> {
  if (batch.signal === 'metrics') return;
  if (batch.signal === 'traces') yield batch.payload.bytes;
  else yield* bytesOfProfiles(batch.profiles);
}

/** The same for profiles alone. */
export function* bytesOfProfiles(profiles: readonly Profile[]): Generator<Uint8Array> {
  let last: Uint8Array | undefined;
  let before: Set<Uint8Array> | undefined;
  for (const profile of profiles) {
    const { bytes } = profile.payload;
    // Profiles of one request that share a payload are neighbours, but for those between them that a stage edited.
    if (bytes !== last) {
      if (last) {
        before ??= new Set();
        before.add(last);
      }
      if (!before?.has(bytes)) yield bytes;
      last = bytes;
    }
    if (profile.origin?.parts) yield* Object.values(profile.origin.parts);
  }
}

/** Bytes of all payloads and parts, each once. */
export function sizeOfProfiles(profiles: readonly Profile[]): number {
  let size = 0;
  for (const bytes of bytesOfProfiles(profiles)) size += bytes.length;
  return size;
}
