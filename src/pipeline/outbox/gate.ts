import type { Clock } from '../../api/index.ts';

/**
 * Failures in a row after which a store counts as down. A few failing requests among good ones must not stop the others;
 * a dead store must not be hammered by every entry of a long queue.
 */
const DOWN_AFTER_FAILURES = 3;

/** Lets requests through to a store that answers; while it is down, one probe at a time after each delay. */
export class Gate {
  readonly #clock: Clock;
  #failures = 0;
  #closedUntilMs = 0;
  #probing = false;
  #change = Promise.withResolvers<void>();
  #error: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Consecutive failures beyond the first few, as the exponent of the next delay. */
  get level(): number {
    return Math.max(0, this.#failures - DOWN_AFTER_FAILURES);
  }

  /** What keeps the gate closed, while it is. */
  get closed(): { untilMs: number; error: string } | undefined {
    if (this.#failures < DOWN_AFTER_FAILURES) return undefined;
    return { untilMs: this.#closedUntilMs, error: this.#error?.message ?? '' };
  }

  /** Resolves when `admit` is worth asking: at once while the store answers. */
  async open(abort: AbortSignal): Promise<void> {
    while (!abort.aborted && this.#failures >= DOWN_AFTER_FAILURES) {
      const waitMs = this.#closedUntilMs - this.#clock.now();
      if (waitMs > 0) await this.#clock.sleep(waitMs, abort);
      else if (this.#probing) await Promise.race([this.#change.promise, aborted(abort)]);
      else return;
    }
  }

  /** Whether a request may go now; while the store is down that makes it the probe. */
  admit(): boolean {
    if (this.#failures < DOWN_AFTER_FAILURES) return true;
    if (this.#probing || this.#clock.now() < this.#closedUntilMs) return false;
    this.#probing = true;
    return true;
  }

  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#changed();
  }

  /** @param delayMs until the next probe, counted from now */
  failed(error: Error, delayMs: number): void {
    this.#failures++;
    this.#error = error;
    if (this.#failures >= DOWN_AFTER_FAILURES) this.#closedUntilMs = this.#clock.now() + delayMs;
    this.#changed();
  }

  /** A probe that was called off says nothing of the store. */
  undecided(): void {
    this.#changed();
  }

  #changed(): void {
    this.#probing = false;
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

/** Resolves when the signal fires; it has not yet. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
}
