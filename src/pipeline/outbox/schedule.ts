import type { Clock } from '../../api/index.ts';
import type { Depth, QueueLimits } from './store.ts';

/** How many delivered entries may stay in front of `ready` before the array is cut: amortises the copy. */
const CUT_AFTER = 1024;

/** What a queue knows of an entry without its batch. */
export interface Scheduled {
  /** Rises with each that comes. */
  readonly key: number;
  /** In units of the queue's sizer; never 0. */
  size: number;
  bytes: number;
  readonly storedMs: number;
  dueMs: number;
}

/** The order of one queue: what is due, what waits for its time, what somebody has taken. Knows nothing of where batches are. */
export class Schedule<T extends Scheduled> {
  limits: QueueLimits;
  readonly #clock: Clock;
  #used = 0;
  #bytes = 0;
  /** Due entries, oldest first, from `head` on; the front is cut off now and then instead of shifting each time. */
  #ready: T[] = [];
  #head = 0;
  /** Entries that wait for their time, soonest first. Short: what failed lately. */
  #waiting: T[] = [];
  readonly #taken = new Set<T>();
  /** What is to make room for something that is being written: nobody gets it, and it is still there if that fails. */
  readonly #leaving = new Set<T>();
  #leavingSize = 0;
  #leavingBytes = 0;
  /** Room for what is being written. */
  readonly #promised = new Set<T>();
  readonly #takers: ((entry: T | undefined) => void)[] = [];
  #alarm: AbortController | undefined;

  constructor(limits: QueueLimits, clock: Clock) {
    this.limits = limits;
    this.#clock = clock;
  }

  /** Gives the queue other limits; `sizeOf` measures in their units. */
  relimit(limits: QueueLimits, sizeOf: (entry: T) => number): void {
    this.limits = limits;
    this.#used = 0;
    this.#leavingSize = 0;
    for (const entry of [...this.entries(), ...this.#leaving, ...this.#promised]) {
      entry.size = sizeOf(entry);
      this.#used += entry.size;
      if (this.#leaving.has(entry)) this.#leavingSize += entry.size;
    }
  }

  /** Whether this much more fits without anything being dropped. */
  fits(size: number): boolean {
    return this.#used - this.#leavingSize + size <= this.limits.capacity;
  }

  /** How much more fits, in units of the queue's sizer. */
  get free(): number {
    return Math.max(0, this.limits.capacity - this.#used + this.#leavingSize);
  }

  /** The oldest entry that nobody has taken: what goes first when there is no room. */
  get oldestIdle(): T | undefined {
    let oldest = this.#ready[this.#head];
    for (const entry of this.#waiting) if (!oldest || entry.storedMs < oldest.storedMs) oldest = entry;
    return oldest;
  }

  /** Counts an entry in that is about to come, or not: `keep` or `forget` follows. */
  promise(entry: T): void {
    this.#promised.add(entry);
    this.reserve(entry);
  }

  /** What was promised has come. */
  keep(entry: T): void {
    this.#promised.delete(entry);
    this.add(entry);
  }

  /**
   * Chooses the oldest that nobody has taken until `size` fits: they go with `left`, or come back with `stay`. Undefined, and nothing
   * chosen, when it would not fit even so.
   */
  choose(size: number): T[] | undefined {
    const chosen: T[] = [];
    while (!this.fits(size)) {
      const oldest = this.oldestIdle;
      if (!oldest) {
        for (const entry of chosen.reverse()) this.stay(entry);
        return undefined;
      }
      this.pull(oldest);
      this.#leaving.add(oldest);
      this.#leavingSize += oldest.size;
      this.#leavingBytes += oldest.bytes;
      chosen.push(oldest);
    }
    return chosen;
  }

  /** Counts a chosen entry out; false when it went another way meanwhile. */
  left(entry: T): boolean {
    if (!this.#unchoose(entry)) return false;
    this.forget(entry);
    return true;
  }

  /** A chosen entry stays, where it was. */
  stay(entry: T): void {
    if (!this.#unchoose(entry)) return;
    if (entry.dueMs > this.#clock.now()) this.#postpone(entry);
    else if (this.#takers.length > 0) this.#offer(entry);
    else {
      // Others may have come back before it.
      let at = this.#head;
      while (at < this.#ready.length && this.#ready[at]!.key < entry.key) at++;
      if (at === this.#head && at > 0) this.#ready[--this.#head] = entry;
      else this.#ready.splice(at, 0, entry);
    }
  }

  /** What is chosen to make room. */
  get leaving(): ReadonlySet<T> {
    return this.#leaving;
  }

  /** Counts an entry in. */
  reserve(entry: T): void {
    this.#used += entry.size;
    this.#bytes += entry.bytes;
  }

  /** Counts an entry out: it was delivered, dropped, or never came. */
  forget(entry: T): void {
    this.#promised.delete(entry);
    this.#used -= entry.size;
    this.#bytes -= entry.bytes;
  }

  /** Another size for an entry, when only a part of it is still owed. */
  resize(entry: T, size: number, bytes: number): void {
    this.forget(entry);
    entry.size = size;
    entry.bytes = bytes;
    this.reserve(entry);
  }

  /** Makes an entry due, or lets it wait for its time. */
  add(entry: T): void {
    if (entry.dueMs > this.#clock.now()) this.#postpone(entry);
    else this.#offer(entry);
  }

  /** Takes an idle entry out, without counting it out; at once for the oldest, the others are looked for. */
  pull(entry: T): void {
    if (this.#unchoose(entry)) return;
    if (this.#ready[this.#head] === entry) {
      this.#shift();
      return;
    }
    const among = this.#waiting.includes(entry) ? this.#waiting : this.#ready;
    const at = among.indexOf(entry);
    if (at >= 0) among.splice(at, 1);
  }

  take(abort: AbortSignal): Promise<T | undefined> {
    if (abort.aborted) return Promise.resolve(undefined);
    const next = this.#ready[this.#head];
    if (next) {
      this.#shift();
      this.#taken.add(next);
      return Promise.resolve(next);
    }
    return new Promise(resolve => {
      const taker = (entry: T | undefined) => {
        abort.removeEventListener('abort', stop);
        resolve(entry);
      };
      const stop = () => {
        const at = this.#takers.indexOf(taker);
        if (at >= 0) this.#takers.splice(at, 1);
        resolve(undefined);
      };
      abort.addEventListener('abort', stop, { once: true });
      this.#takers.push(taker);
    });
  }

  /** The taker is done with it; false when it was not taken from here. */
  untake(entry: T): boolean {
    return this.#taken.delete(entry);
  }

  /** What somebody has and has not settled yet. */
  get taken(): ReadonlySet<T> {
    return this.#taken;
  }

  /** To the front again, as if it had not been taken. */
  putBack(entry: T): void {
    if (this.#takers.length > 0) this.#offer(entry);
    else if (this.#head > 0) this.#ready[--this.#head] = entry;
    else this.#ready.unshift(entry);
  }

  /** Makes everything that waits for a later time due now. */
  expedite(): void {
    for (const entry of this.#waiting.splice(0)) this.#offer(entry);
  }

  get depth(): Depth {
    let oldestMs = this.#ready[this.#head]?.storedMs;
    for (const { storedMs } of this.#waiting) if (oldestMs === undefined || storedMs < oldestMs) oldestMs = storedMs;
    for (const some of [this.#taken, this.#leaving])
      for (const { storedMs } of some) if (oldestMs === undefined || storedMs < oldestMs) oldestMs = storedMs;
    const idle = this.#ready.length - this.#head + this.#waiting.length + this.#leaving.size;
    const batches = idle + this.#taken.size;
    return { batches, bytes: this.#bytes - this.#leavingBytes, inFlight: this.#taken.size, oldestMs };
  }

  /** But for what is leaving. */
  *entries(): Generator<T> {
    for (let at = this.#head; at < this.#ready.length; at++) yield this.#ready[at]!;
    yield* this.#waiting;
    yield* this.#taken;
  }

  /** Nobody waits any longer; what was taken is not known any more. */
  close(): void {
    this.#alarm?.abort();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    this.#taken.clear();
  }

  #unchoose(entry: T): boolean {
    if (!this.#leaving.delete(entry)) return false;
    this.#leavingSize -= entry.size;
    this.#leavingBytes -= entry.bytes;
    return true;
  }

  #shift(): void {
    // A delivered entry that stays referred to keeps its payload resident after the pool let go of it.
    this.#ready[this.#head++] = undefined as never;
    if (this.#head <= CUT_AFTER) return;
    this.#ready = this.#ready.slice(this.#head);
    this.#head = 0;
  }

  #offer(entry: T): void {
    const taker = this.#takers.shift();
    if (!taker) {
      this.#ready.push(entry);
      return;
    }
    this.#taken.add(entry);
    taker(entry);
  }

  #postpone(entry: T): void {
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.dueMs > entry.dueMs) at--;
    this.#waiting.splice(at, 0, entry);
    if (at === 0) this.#setAlarm();
  }

  /** One alarm per queue, for the entry that is due soonest. */
  #setAlarm(): void {
    this.#alarm?.abort();
    const next = this.#waiting[0];
    if (!next) return;
    const alarm = new AbortController();
    this.#alarm = alarm;
    void this.#clock.sleep(Math.max(0, next.dueMs - this.#clock.now()), alarm.signal).then(() => {
      if (alarm.signal.aborted) return;
      const now = this.#clock.now();
      while (this.#waiting[0] && this.#waiting[0].dueMs <= now) this.#offer(this.#waiting.shift()!);
      this.#setAlarm();
    });
  }
}
