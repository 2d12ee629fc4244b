import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Dropped memory that is worth a collection, bytes: it costs about 10 ms, the bodies that filled so much cost seconds. */
const WORTH_BYTES = 64 * 1024 * 1024;
/** Least time between two collections, ms: even one that frees nothing then costs well below a hundredth of a core. */
const PAUSE_MS = 5000;

/**
 * Asks for garbage collections where V8 sees no reason for one: it does not count shared memory, so slabs that the pool dropped stay
 * resident until the heap happens to grow. After a burst of 350 MiB that took 6 s under light traffic, with this less than 2 s; while
 * memory_limiter refuses because of them nothing grows at all.
 */
export class Reclaim {
  readonly #collect: () => void;
  readonly #nowMs: () => number;
  #droppedBytes = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(collect: () => void, nowMs: () => number = () => performance.now()) {
    this.#collect = collect;
    this.#nowMs = nowMs;
  }

  /** Nobody refers to so many bytes of shared memory any more. */
  dropped(bytes: number): void {
    this.#droppedBytes += bytes;
    if (this.#droppedBytes >= WORTH_BYTES) this.soon();
  }

  /** Collects once the present work is done and the last collection is long enough ago. */
  soon(): void {
    if (this.#timer) return;
    const waitMs = Math.max(0, this.#lastMs + PAUSE_MS - this.#nowMs());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastMs = this.#nowMs();
      this.#droppedBytes = 0;
      this.#collect();
    }, waitMs);
    this.#timer.unref();
  }
}

/** A full collection in a task of its own, when no frame refers to anything. The flag holds for one context, which gives the function. */
export function fullCollection(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: object) => Promise<void>;
  setFlagsFromString('--no-expose-gc');
  return () => void gc({ type: 'major', execution: 'async' });
}
