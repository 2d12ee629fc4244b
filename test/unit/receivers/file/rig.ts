// Real files, a clock that the test moves, and a pipeline that answers what it is told.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Clock, Host } from '../../../../src/api/index.ts';
import { Config } from '../../../../src/receivers/file/config.ts';
import { FileReceiver } from '../../../../src/receivers/file/receiver.ts';
import { NOW_MS, Rig } from '../fixtures.ts';

export const far = () => AbortSignal.timeout(10_000);

/** Stands still; a wait between two looks ends at `look`. */
export class Looks implements Clock {
  nowMs = NOW_MS;
  #wake: (() => void) | undefined;
  #asleep = Promise.withResolvers<void>();
  now(): number {
    return this.nowMs;
  }
  sleep(_ms: number, abort?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve;
      if (abort?.aborted) resolve();
      abort?.addEventListener('abort', () => resolve(), { once: true });
      this.#asleep.resolve();
    });
  }
  /** The look that goes on has ended. */
  async looked(): Promise<void> {
    await this.#asleep.promise;
  }
  /** Looks so many times. What these looks find to be read may still be on its way. */
  async look(times = 1): Promise<void> {
    for (; times > 0; times--) {
      await this.#asleep.promise;
      this.#asleep = Promise.withResolvers();
      this.#wake!();
      await this.#asleep.promise;
    }
  }
}

/** Waits for what files and threads bring; the turns of the event loop are not counted, only how long it takes. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const startMs = performance.now(); !isSo(); ) {
    assert.ok(performance.now() - startMs < 10_000, `waited for ${what}`);
    await new Promise(resolve => setImmediate(resolve));
  }
}

export function rig(t: TestContext, config: object = {}, more: Partial<Host> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'file-receiver-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const clock = new Looks();
  const made = new Rig(clock);
  const host: Host = { ...made.host, ...more };
  const make = () =>
    new FileReceiver(Config.parse({ include: [`${dir}/in/**/{service_name}.*`], ...config }), host, made.next);
  const put = (path: string, content: Uint8Array | string) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
    return join(dir, path);
  };
  const receiver = make();
  t.after(() => receiver.stop(AbortSignal.abort()));
  const arrived = (count: number) => until(() => made.seen.length === count, `${count} batches`);
  mkdirSync(join(dir, 'in'));
  /** Stops, so that nothing is on its way any more; every slab has been given back then. */
  const settle = async () => {
    await receiver.stop(far());
    assert.equal(host.memory.usage.heldBytes, 0, 'all memory is given back');
  };
  return { dir, clock, made, receiver, make, put, arrived, settle };
}
