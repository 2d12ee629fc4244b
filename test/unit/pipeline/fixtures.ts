import type { Clock, Logger } from '../../../src/api/index.ts';
import { BatchId, type ProfileBatch } from '../../../src/model/batch.ts';

/** A clock that only moves when told to; `advance` runs what became due, in order, each with its consequences. */
export class FakeClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #sleepers: { dueMs: number; wake: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  sleep(ms: number, abort?: AbortSignal): Promise<void> {
    if (abort?.aborted) return Promise.resolve();
    return new Promise(resolve => {
      const sleeper = { dueMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      abort?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter(one => one !== sleeper);
        resolve();
      });
    });
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const next = this.#sleepers.filter(one => one.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#sleepers = this.#sleepers.filter(one => one !== next);
      next.wake();
    }
    this.#nowMs = untilMs;
    await settled();
  }
}

/** Lets every promise that can settle do so. */
export const settled = () => new Promise<void>(resolve => setImmediate(resolve));

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export function batchOf(bytes: Uint8Array, service = 'checkout'): ProfileBatch {
  return {
    signal: 'profiles',
    id: BatchId.of('id'),
    tenant: '',
    dialect: 'pyroscope',
    receivedMs: 0,
    sizeBytes: bytes.length,
    profiles: [
      {
        attributes: new Map([['service_name', service]]),
        payload: { form: 'pprof', encoding: 'gzip', bytes },
        part: 0,
      },
    ],
  };
}
