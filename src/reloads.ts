import type { Logger } from './api/index.ts';

/**
 * Reloads one after another. What is asked for while one runs follows once it is through, and takes the configuration as it is
 * then: of several that wait, only the newest matters.
 */
export class Reloads {
  readonly #reload: () => Promise<void>;
  readonly #log: Logger;
  #running: Promise<void> | undefined;
  #again = false;
  #closed = false;

  /** @param reload must not reject */
  constructor(reload: () => Promise<void>, log: Logger) {
    this.#reload = reload;
    this.#log = log;
  }

  /** @param reason as in the log */
  ask(reason: string): void {
    if (this.#closed) return;
    if (this.#running) {
      this.#again = true;
      this.#log.info('a reload still runs, the next one follows with the newest configuration', { reason });
      return;
    }
    this.#log.info('reloading', { reason });
    this.#running = this.#run();
  }

  /** None begins any more. Resolves when none runs, or at the deadline. */
  async close(deadline: AbortSignal): Promise<void> {
    this.#closed = true;
    if (!this.#running || deadline.aborted) return;
    const over = new Promise<void>(resolve => deadline.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.#running, over]);
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      await this.#reload();
    } while (this.#again && !this.#closed);
    this.#running = undefined;
  }
}
