// Queue files and logs that lost bytes or bits: they open, say so, give back the rest, and nothing of what they give is altered.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Logger } from '../../src/api/index.ts';
import type { ProfileBatch } from '../../src/model/batch.ts';
import { DiskStore } from '../../src/pipeline/outbox/disk/disk-store.ts';
import type { QueueLimits } from '../../src/pipeline/outbox/store.ts';
import { SlabPool } from '../../src/workers/slabs.ts';
import { batchOf } from '../unit/pipeline/disk/rig.ts';
import { FakeClock } from '../unit/pipeline/fixtures.ts';
import { type Arrival, hashOf, Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import { folder } from './rig.ts';
import { type Card, scenario } from './scorecard.ts';
import { DAMAGES, LOG_DAMAGES } from './settings.ts';

const ENTRIES = 60;
/** One place in so many is a cut, the others are flipped bits. */
const CUT_EVERY = 10;
const QUEUE = 'a';
const ROOMY: QueueLimits = { capacity: 1 << 30, sizer: 'bytes', onFull: 'refuse' };

const lasting = (repeats: number) => ({ repeats, timeout: 60_000 + repeats * 1_000 });

/** A store on a file, in this process, and all that it says of losses. */
function opened(file: string) {
  const memory = new SlabPool({ budgetBytes: 1 << 28, poison: true });
  const said: string[] = [];
  const say: Logger['error'] = (phrase, fields) => void said.push(`${phrase} ${JSON.stringify(fields)}`);
  const store = new DiskStore({
    settings: { file, sync: 'normal', deadLetters: { maxAgeMs: 1e12, maxBytes: 1e12 } },
    memory,
    clock: new FakeClock(),
    log: { debug() {}, info() {}, warn: say, error: say },
    lost: (queue, items) => void said.push(`${items} lost of ${queue}`),
    health: error => void (error && said.push(error.message)),
  });
  const put = async (number: number, size: number): Promise<Buffer> => {
    const slab = memory.lease(size)!;
    const bytes = slab.bytes.subarray(0, size);
    bytes.fill(`profile-${number};`);
    const kept = Buffer.from(bytes);
    await store.put([{ queue: QUEUE, batch: batchOf(bytes, String(number)), storedMs: 1_700_000_000_000 }]);
    memory.release(slab.bytes);
    return kept;
  };
  return { store, memory, said, put };
}

/** Everything that the queue still has. */
async function drained(store: DiskStore): Promise<Arrival[]> {
  const arrivals: Arrival[] = [];
  store.expedite(QUEUE);
  while (store.depth(QUEUE).batches > 0) {
    // A batch that cannot be read is lost in `take`, and may have been the last.
    const empty = new AbortController();
    const entry = await Promise.race([store.take(QUEUE, empty.signal), emptied(store, empty.signal)]);
    empty.abort();
    if (!entry) break;
    const { attributes, payload } = (entry.batch as ProfileBatch).profiles[0]!;
    const atMs = performance.now();
    arrivals.push({
      number: Number(attributes.get('service_name')),
      hash: hashOf(payload.bytes),
      atMs,
      answeredMs: atMs,
    });
    store.settle(QUEUE, entry, { kind: 'done' });
  }
  return arrivals;
}

async function emptied(store: DiskStore, stop: AbortSignal): Promise<undefined> {
  while (!stop.aborted && store.depth(QUEUE).batches > 0) await new Promise(resolve => setImmediate(resolve));
  return undefined;
}

/** Flips a bit or cuts, as drawn. */
function damaged(sound: Buffer, n: number, random: Random): Buffer {
  if (n % CUT_EVERY === 0) return Buffer.from(sound.subarray(0, random.below(sound.length)));
  const bytes = Buffer.from(sound);
  const at = random.below(bytes.length);
  bytes[at] = bytes[at]! ^ (1 << random.below(8));
  return bytes;
}

/** @param suffix which of the two files is damaged */
const damage = (suffix: '' | '-wal', times: number) => async (t: TestContext, card: Card, random: Random) => {
  const directory = folder(t);
  const file = join(directory, 'queue.db');
  const ledger = new Ledger();
  const { store, put } = opened(file);
  await store.start();
  store.open(QUEUE, ROOMY);
  for (let n = 0; n < ENTRIES; n++) {
    const number = ledger.next();
    ledger.sent(number, await put(number, 1000 + number * 400));
    ledger.acknowledged(number);
  }
  // The file as it is closed, or file and log as a kill leaves them.
  if (suffix === '') await store.stop();
  const sound = new Map([['', readFileSync(file)]]);
  if (suffix === '-wal') sound.set('-wal', readFileSync(`${file}-wal`));
  if (suffix === '-wal') await store.stop();
  let recovered = 0;
  let gone = 0;
  let whole = 0;
  const unsaid: string[] = [];
  for (let n = 0; n < times; n++) {
    const copy = join(directory, `${n}.db`);
    for (const [end, bytes] of sound)
      writeFileSync(`${copy}${end}`, end === suffix ? damaged(bytes, n, random) : bytes);
    const again = opened(copy);
    await again.store.start();
    again.store.open(QUEUE, ROOMY);
    // Of what no exporter reads the gateway warns, and it can be replayed.
    for (const [queue, batches] of again.store.unopened) again.said.push(`${batches} in a queue ${queue}`);
    const arrivals = await drained(again.store);
    const { lost, invented, altered, repeated } = ledger.verdict(arrivals);
    assert.deepEqual({ invented, altered, repeated }, { invented: [], altered: [], repeated: [] }, `place ${n}`);
    // A log that ends early is what a kill in the middle of a write leaves: nothing tells that there was more.
    const last = ledger.count.sent - lost.length;
    const looksKilled = suffix === '-wal' && n % CUT_EVERY === 0 && lost.every(number => number > last);
    if (lost.length > 0 && again.said.length === 0 && !looksKilled) unsaid.push(`place ${n}: ${lost.length} lost`);
    recovered += arrivals.length;
    gone += lost.length;
    if (lost.length === 0) whole++;
    // It goes on as a queue.
    await again.put(1_000_000, 1000);
    assert.deepEqual(
      (await drained(again.store)).map(({ number }) => number),
      [1_000_000],
    );
    await again.store.stop();
    assert.equal(again.memory.usage.heldBytes, 0);
  }
  card.row.acknowledged = times * ENTRIES;
  card.row.lost = gone;
  card.figure('recovered', `${recovered} of ${times * ENTRIES} batches`);
  card.figure('nothing lost', `${whole} of ${times} times`);
  card.figure('lost without a word', unsaid.length);
  assert.deepEqual(unsaid, []);
};

scenario('damage-file', lasting(DAMAGES), damage('', DAMAGES));
scenario('damage-log', lasting(LOG_DAMAGES), damage('-wal', LOG_DAMAGES));
