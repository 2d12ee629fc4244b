import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MIB = 1024 * 1024;
/** Dropped memory that is worth a collection, bytes: it costs about 10 ms, the bodies that filled so much cost seconds. */
const WORTH_BYTES = 64 * MIB;
/** Least time between two collections, ms: even one that frees nothing then costs well below a hundredth of a core. */
const PAUSE_MS = 5000;
/**
 * After a thorough one that was worth it, time until the next as a multiple of what it took: at most a twentieth of a core, while
 * garbage comes so fast that the limit is too near for less. Refusing costs more.
 */
const THOROUGH_PAUSE = 20;
/** What a thorough one has to give back to the system to have been worth it, bytes. After each that does not, the pause doubles … */
const WORTHWHILE_BYTES = 16 * MIB;
/** … up to this, ms: memory may be short for hours, with nothing to collect. */
const MAX_PAUSE_MS = 60_000;

/**
 * One collection of everything. A plain one frees shared memory that was dropped, in about 10 ms. A thorough one gives back to the
 * system what V8 keeps for itself as well: 170 of 305 MiB resident after a while of small profiles, where a plain one gave back none;
 * about 90 ms.
 */
export type Collect = (how: 'plain' | 'thorough') => Promise<void>;

/**
 * Asks for garbage collections where V8 sees no reason for one: it does not count shared memory, so slabs that the pool dropped stay
 * resident until the heap happens to grow, and it knows no limit of ours, so its heap grows by what is garbage for a long time. After
 * a burst of 350 MiB memory went back in 6 s under light traffic, with this in less than 2 s.
 */
export class Reclaim {
  readonly #collect: Collect;
  readonly #nowMs: () => number;
  readonly #rss: () => number;
  #droppedBytes = 0;
  #nextMs = Number.NEGATIVE_INFINITY;
  #nextThoroughMs = Number.NEGATIVE_INFINITY;
  /** Thorough ones in a row that gave back nothing worth it. */
  #inVain = 0;
  #thorough = false;
  #dueMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    collect: Collect,
    nowMs: () => number = () => performance.now(),
    rss: () => number = () => process.memoryUsage.rss(),
  ) {
    this.#collect = collect;
    this.#nowMs = nowMs;
    this.#rss = rss;
  }

  /** Nobody refers to so many bytes of shared memory any more. */
  dropped(bytes: number): void {
    this.#droppedBytes += bytes;
    if (this.#droppedBytes >= WORTH_BYTES) this.#plan(this.#nextMs);
  }

  /**
   * Resident memory is short: a thorough collection, once the present work is done and the last one is long enough ago.
   * @returns whether it comes at once; what is resident now says little then
   */
  shrink(): boolean {
    this.#thorough = true;
    this.#plan(this.#nextThoroughMs);
    return this.#nextThoroughMs <= this.#nowMs();
  }

  #plan(notBeforeMs: number): void {
    const nowMs = this.#nowMs();
    const dueMs = Math.max(nowMs, notBeforeMs);
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => void this.#run(), dueMs - nowMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const startMs = this.#nowMs();
    const thorough = this.#thorough && this.#nextThoroughMs <= startMs;
    this.#nextMs = startMs + PAUSE_MS;
    this.#droppedBytes = 0;
    if (thorough) {
      const before = this.#rss();
      this.#thorough = false;
      // Until it has ended nobody is to ask for another.
      this.#nextThoroughMs = startMs + PAUSE_MS;
      await this.#collect('thorough');
      const nowMs = this.#nowMs();
      this.#inVain = before - this.#rss() < WORTHWHILE_BYTES ? this.#inVain + 1 : 0;
      const leastMs = this.#inVain > 0 ? Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** this.#inVain) : 0;
      this.#nextThoroughMs = nowMs + Math.max(leastMs, (nowMs - startMs) * THOROUGH_PAUSE);
      this.#nextMs = nowMs + PAUSE_MS;
    } else await this.#collect('plain');
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (this.#thorough) this.#plan(this.#nextThoroughMs);
    if (this.#droppedBytes >= WORTH_BYTES) this.#plan(this.#nextMs);
  }
}

/** Collections in a task of their own, when no frame refers to anything. The flag holds for one context, which gives the function. */
export function fullCollection(): Collect {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => Promise<void>;
  setFlagsFromString('--no-expose-gc');
  return how => gc({ type: 'major', execution: 'async', flavor: how === 'thorough' ? 'last-resort' : 'regular' });
}
