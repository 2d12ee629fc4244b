import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Logger } from '../../../../src/api/index.ts';
import { BatchId, type ProfileBatch } from '../../../../src/model/batch.ts';
import { DiskStore } from '../../../../src/pipeline/outbox/disk/disk-store.ts';
import type { Entry, QueueLimits } from '../../../../src/pipeline/outbox/store.ts';
import { SlabPool } from '../../../../src/workers/slabs.ts';
import { FakeClock, settled } from '../fixtures.ts';

export const ROOMY: QueueLimits = { capacity: 1 << 30, sizer: 'bytes', onFull: 'drop_oldest' };
const far = () => new AbortController().signal;

/** A folder for queue files, and stores on them that are closed when the test ends. */
export function disk(t: TestContext, budgetBytes = 1 << 28, preload?: URL, deadBytes = 1e12, parent = tmpdir()) {
  const dir = mkdtempSync(join(parent, 'flamegate-disk-'));
  const file = join(dir, 'queue.db');
  const memory = new SlabPool({ budgetBytes, poison: true });
  const clock = new FakeClock();
  const lost: string[] = [];
  const health: (string | undefined)[] = [];
  const said: string[] = [];
  const log: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (_phrase, fields) => void said.push((fields as { detail?: string }).detail ?? ''),
  };
  const running = new Set<DiskStore>();
  const stop = async (store: DiskStore) => {
    running.delete(store);
    await store.stop();
  };
  t.after(async () => {
    for (const store of running) await stop(store);
    rmSync(dir, { recursive: true, force: true });
  });
  const start = async (queues: Record<string, QueueLimits> = { a: ROOMY }): Promise<DiskStore> => {
    const store = new DiskStore({
      settings: { file, sync: 'normal', deadLetters: { maxAgeMs: 1e12, maxBytes: deadBytes } },
      memory,
      clock,
      log,
      lost: (queue, items, reason) => lost.push(`${queue}:${items}${reason === 'damaged' ? '' : ` ${reason}`}`),
      health: error => health.push(error?.message),
      preload,
    });
    await store.start();
    running.add(store);
    for (const [name, limits] of Object.entries(queues)) store.open(name, limits);
    return store;
  };
  /** What a receiver does: lease, put, let go once it is answered. */
  const put = async (store: DiskStore, text: string, queues = ['a'], size = 1000) => {
    const slab = memory.lease(size)!;
    const bytes = slab.bytes.subarray(0, size);
    bytes.fill(text);
    const batch = batchOf(bytes, text);
    const rows = queues.map(queue => ({ queue, batch, storedMs: clock.now() }));
    const result = await store.put(rows).catch((error: Error) => error);
    memory.release(slab.bytes);
    return result;
  };
  const take = (store: DiskStore, queue = 'a') => store.take(queue, far());
  /** Takes until there is nothing, as texts; every payload must be what was put. */
  const drain = async (store: DiskStore, queue = 'a'): Promise<string[]> => {
    const texts: string[] = [];
    while (store.depth(queue).batches > 0) {
      const entry = (await take(store, queue))!;
      texts.push(textOf(entry));
      store.settle(queue, entry, { kind: 'done' });
    }
    return texts;
  };
  return { dir, file, memory, clock, lost, health, said, start, stop, put, take, drain };
}

/** The same on a disk that fails as told. */
export function faulty(t: TestContext) {
  const rig = disk(t, 1 << 28, new URL('../../../kit/faulty-sqlite.ts', import.meta.url));
  const control = join(rig.dir, 'faults');
  // A worker gets the environment as it is when the store starts.
  process.env.FLAMEGATE_FAULTS = control;
  const fail = (what: string) => writeFileSync(control, what);
  const heal = async () => {
    rmSync(control);
    while (rig.health.at(-1) !== undefined) await settled();
  };
  return { ...rig, fail, heal };
}

export function batchOf(bytes: Uint8Array, text: string): ProfileBatch {
  return {
    signal: 'profiles',
    id: new BatchId(() => [text, bytes]),
    tenant: 'team',
    dialect: 'pyroscope',
    receivedMs: 17,
    sizeBytes: bytes.length,
    profiles: [
      {
        attributes: new Map([['service_name', text]]),
        payload: { form: 'pprof', encoding: 'gzip', bytes },
        part: 0,
        origin: { door: 'ingest', query: `name=${text}` },
      },
    ],
  };
}

/** The text that a batch was made of. @throws Error when a byte of it is another */
export function textOf({ batch }: Entry): string {
  const { attributes, payload } = (batch as ProfileBatch).profiles[0]!;
  const text = String(attributes.get('service_name'));
  if (!Buffer.alloc(payload.bytes.length, text).equals(payload.bytes))
    throw new Error(`the bytes of ${text} are others`);
  return text;
}
