// Who said what: every profile has a number; an acknowledgement is an obligation.
import { createHash } from 'node:crypto';

/** One profile that a store took. */
export interface Arrival {
  readonly number: number;
  readonly hash: string;
  readonly atMs: number;
  /** When the whole answer was written; undefined when it was cut, refused to be read, or never given. */
  answeredMs: number | undefined;
}

export interface Verdict {
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledged and not at the store. */
  readonly lost: readonly number[];
  /** At the store, never sent. */
  readonly invented: readonly number[];
  /** At the store with other bytes than were sent. */
  readonly altered: readonly number[];
  /** At the store more than once, and each time the one before was in flight at a fault: nobody could know that it had arrived. */
  readonly doubled: readonly number[];
  /** At the store more than once without such a reason. */
  readonly repeated: readonly number[];
}

/**
 * Requests one after another, each begun after the one before was acknowledged, after which a gateway must have written down what
 * a store answered before the first: the first proves that it looked at its sockets, the next that what it then saw was committed.
 * One more, since an answer may be read in two pieces.
 */
const GENERATIONS = 3;

interface Sent {
  readonly hash: string;
  readonly sentMs: number;
  acknowledgedMs: number | undefined;
}

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export class Ledger {
  readonly #sent = new Map<number, Sent>();
  /** When a gateway had ended without a chance to write down what it knew, and the next had not begun. */
  readonly #faults: number[] = [];
  readonly #acknowledged: number[] = [];
  #last = 0;

  /** The next number. */
  next(): number {
    return ++this.#last;
  }
  sent(number: number, body: Uint8Array): void {
    this.#sent.set(number, { hash: hashOf(body), sentMs: performance.now(), acknowledgedMs: undefined });
  }
  acknowledged(number: number): void {
    this.#sent.get(number)!.acknowledgedMs = performance.now();
    this.#acknowledged.push(number);
  }
  /** The gateway is gone. Call before the next one starts; resolves once all that the last one sent was read. */
  async fault(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve));
    this.#faults.push(performance.now());
  }

  get count(): { readonly sent: number; readonly acknowledged: number } {
    return { sent: this.#sent.size, acknowledged: this.#acknowledged.length };
  }

  /** Whether everything that was acknowledged is among these. Asked after every arrival: the last is most likely missing. */
  settled(numbers: ReadonlySet<number>): boolean {
    if (numbers.size < this.#acknowledged.length) return false;
    return this.#acknowledged.findLast(number => !numbers.has(number)) === undefined;
  }

  /** Time from sending to the first arrival, ms, sorted; of what was acknowledged. */
  latencies(arrivals: readonly Arrival[]): Float64Array {
    const first = new Map<number, number>();
    for (const { number, atMs } of arrivals) if (!first.has(number)) first.set(number, atMs);
    const took: number[] = [];
    for (const [number, atMs] of first) {
      const sent = this.#sent.get(number);
      if (sent?.acknowledgedMs !== undefined) took.push(atMs - sent.sentMs);
    }
    return Float64Array.from(took).sort();
  }

  verdict(arrivals: readonly Arrival[]): Verdict {
    const before = new Map<number, Arrival>();
    const altered = new Set<number>();
    const doubled = new Set<number>();
    const repeated = new Set<number>();
    const known = this.#commits();
    for (const arrival of arrivals) {
      const { number, hash } = arrival;
      const sent = this.#sent.get(number);
      if (sent && sent.hash !== hash) altered.add(number);
      const last = before.get(number);
      if (last) (this.#inFlight(last, arrival, known) ? doubled : repeated).add(number);
      before.set(number, arrival);
    }
    const lost: number[] = [];
    for (const [number, { acknowledgedMs }] of this.#sent)
      if (acknowledgedMs !== undefined && !before.has(number)) lost.push(number);
    return {
      ...this.count,
      lost,
      invented: [...before.keys()].filter(number => !this.#sent.has(number)),
      altered: [...altered],
      doubled: [...doubled],
      repeated: [...repeated],
    };
  }

  /** Whether the gateway may not have known, or not have written down, that the first of the two had arrived. */
  #inFlight(first: Arrival, second: Arrival, knownAfter: (ms: number) => number): boolean {
    if (first.answeredMs === undefined) return true;
    const fault = this.#faults.find(ms => ms > first.atMs && ms < second.atMs);
    return fault !== undefined && knownAfter(first.answeredMs) > fault;
  }

  /** When, at the latest, an answer of this time was committed, as acknowledgements prove it. */
  #commits(): (ms: number) => number {
    const acknowledged = [...this.#sent.values()].filter(one => one.acknowledgedMs !== undefined);
    acknowledged.sort((a, b) => a.sentMs - b.sentMs);
    // The earliest acknowledgement of what was sent here or later.
    const earliest = new Float64Array(acknowledged.length + 1).fill(Number.POSITIVE_INFINITY);
    for (let n = acknowledged.length - 1; n >= 0; n--)
      earliest[n] = Math.min(earliest[n + 1]!, acknowledged[n]!.acknowledgedMs!);
    const next = (ms: number): number => {
      let [low, high] = [0, acknowledged.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (acknowledged[middle]!.sentMs > ms) high = middle;
        else low = middle + 1;
      }
      return earliest[low]!;
    };
    return answeredMs => {
      let ms = answeredMs;
      for (let n = 0; n < GENERATIONS && ms < Number.POSITIVE_INFINITY; n++) ms = next(ms);
      return ms;
    };
  }
}
