// The delivery of one pipeline in this process, on a clock that moves when told to: hours of an outage take seconds.
import { fields, type Result } from '../../src/api/index.ts';
import { BatchId, type ProfileBatch } from '../../src/model/batch.ts';
import { Fanout } from '../../src/pipeline/fanout.ts';
import { DiskStore } from '../../src/pipeline/outbox/disk/disk-store.ts';
import { MemoryStore } from '../../src/pipeline/outbox/memory-store.ts';
import { Outbox } from '../../src/pipeline/outbox/outbox.ts';
import type { Store } from '../../src/pipeline/outbox/store.ts';
import { SlabPool } from '../../src/workers/slabs.ts';
import { FakeClock, silent } from '../unit/pipeline/fixtures.ts';
import { type Arrival, hashOf, Ledger } from './ledger.ts';
import type { Random } from './random.ts';

export type Answer = Result<ProfileBatch>;

/** One exporter whose store is a function. */
export interface Target {
  readonly outbox: Outbox;
  readonly arrivals: Arrival[];
  /** When it was asked, on the test clock. */
  readonly askedMs: number[];
  readonly drops: string[];
  /** What it said of itself, without repetitions. */
  readonly health: string[];
  answer: (number: number) => Answer;
}

export class Lab {
  readonly clock = new FakeClock();
  readonly memory = new SlabPool({ budgetBytes: 1 << 28, poison: true });
  readonly ledger = new Ledger();
  readonly targets = new Map<string, Target>();
  readonly #store: Store & { start?(): Promise<void>; stop?(): Promise<void> };
  readonly #fanout: Fanout;
  readonly #random: Random;

  /** @param file where queues lie; in memory when absent */
  constructor(ids: readonly string[], random: Random, file?: string) {
    const { clock, memory } = this;
    this.#random = random;
    this.#store =
      file === undefined
        ? new MemoryStore({ memory, clock })
        : new DiskStore({
            settings: { file, sync: 'normal', deadLetters: { maxAgeMs: 1e12, maxBytes: 1e12 } },
            memory,
            clock,
            log: silent,
            lost: () => {},
            health: () => {},
          });
    for (const id of ids) this.targets.set(id, this.#target(id));
    const node = { consume: () => Promise.reject(new Error('every exporter has a queue')) };
    this.#fanout = new Fanout([...this.targets].map(([id, { outbox }]) => ({ id, outbox, node })));
  }

  async start(): Promise<void> {
    await this.#store.start?.();
    for (const { outbox } of this.targets.values()) await outbox.start();
  }

  async stop(): Promise<void> {
    for (const { outbox } of this.targets.values()) await outbox.stop(AbortSignal.timeout(10_000));
    await this.#store.stop?.();
  }

  target(id: string): Target {
    return this.targets.get(id)!;
  }

  /** Sends this many batches at once, as receivers do: lease, consume, let go. */
  async send(count: number, maxBytes = 20_000): Promise<void> {
    await Promise.all(
      Array.from({ length: count }, async () => {
        const number = this.ledger.next();
        const size = 16 + this.#random.below(maxBytes);
        const slab = this.memory.lease(size);
        if (!slab) throw new Error('the lab has no memory left');
        const bytes = slab.bytes.subarray(0, size);
        bytes.fill(`profile ${number};`);
        this.ledger.sent(number, bytes);
        const result = await this.#fanout.consume(batchOf(number, bytes), new AbortController().signal);
        if (result.kind === 'accepted') this.ledger.acknowledged(number);
        this.memory.release(slab.bytes);
      }),
    );
  }

  /** Moves the clock; whatever is under way by then ends first, so that a busy machine does not look like a slow gateway. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.#quiet();
      await this.clock.advance(Math.min(left, stepMs));
    }
    await this.#quiet();
  }

  /** How long it takes on the test clock until this queue is empty, ms. */
  async drained(id: string, withinMs: number): Promise<number> {
    const startMs = this.clock.now();
    const { outbox } = this.target(id);
    while (outbox.depth.batches > 0) {
      if (this.clock.now() - startMs > withinMs)
        throw new Error(`${outbox.depth.batches} batches of ${id} are left after ${withinMs} ms`);
      await this.pass(100);
    }
    return this.clock.now() - startMs;
  }

  /** Until nothing is being delivered or read. */
  async #quiet(): Promise<void> {
    const busy = () => [...this.targets.values()].some(({ outbox }) => outbox.depth.inFlight > 0);
    do await new Promise(resolve => setImmediate(resolve));
    while (busy());
  }

  #target(id: string): Target {
    const target: Target = {
      arrivals: [],
      askedMs: [],
      drops: [],
      health: [],
      answer: () => ({ kind: 'accepted' }),
      outbox: new Outbox({
        id,
        config: fields.outbox.parse({ sending_queue: { queue_size: '1GiB' } }),
        store: this.#store,
        clock: this.clock,
        log: silent,
        random: this.#random,
        dropped: (items, reason) => target.drops.push(`${reason}:${items}`),
        report: health => {
          if (target.health.at(-1) !== health) target.health.push(health);
        },
        sender: { send: async (batch: ProfileBatch) => this.#deliver(target, batch) } as never,
      }),
    };
    return target;
  }

  #deliver(target: Target, batch: ProfileBatch): Answer {
    const { attributes, payload } = batch.profiles[0]!;
    const number = Number(attributes.get('n'));
    target.askedMs.push(this.clock.now());
    const answer = target.answer(number);
    const atMs = performance.now();
    if (answer.kind === 'accepted')
      target.arrivals.push({ number, hash: hashOf(payload.bytes), atMs, answeredMs: atMs });
    return answer;
  }
}

function batchOf(number: number, bytes: Uint8Array): ProfileBatch {
  return {
    signal: 'profiles',
    id: new BatchId(() => [String(number), bytes]),
    tenant: '',
    dialect: 'pyroscope',
    receivedMs: 0,
    sizeBytes: bytes.length,
    profiles: [
      {
        attributes: new Map([['n', String(number)]]),
        payload: { form: 'pprof', encoding: 'identity', bytes },
        part: 0,
      },
    ],
  };
}
