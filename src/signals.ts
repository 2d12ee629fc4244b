// What the process is told from outside: to end, or to reload. Heard from the first moment on, also before anybody can act on it.

/** The terminal, npm and the launcher may each deliver the same signal: within this time they count as one. */
const SAME_SIGNAL_MS = 2_000;

export class Signals {
  /** Resolves with the reason when the process should end. */
  readonly ended: Promise<string>;
  readonly #end: (reason: string) => void;
  #endedMs: number | undefined;
  #reload: (() => void) | undefined;
  #reloadAsked = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ended = promise;
    this.#end = resolve;
    process.on('SIGINT', () => this.#stop('SIGINT'));
    process.on('SIGTERM', () => this.#stop('SIGTERM'));
    process.on('SIGHUP', () => {
      if (this.#reload) this.#reload();
      else this.#reloadAsked = true;
    });
    // The launcher holds the other end of the channel: when it dies, nobody waits for this process any more.
    if (process.channel) process.on('disconnect', () => this.#stop('launcher gone'));
  }

  /** Whether the process should end. */
  get ending(): boolean {
    return this.#endedMs !== undefined;
  }

  /** Who reloads, from now on; at once if that was asked for already. */
  onReload(reload: () => void): void {
    this.#reload = reload;
    if (this.#reloadAsked) reload();
    this.#reloadAsked = false;
  }

  /** A second, later signal forces the exit at once. */
  #stop(reason: string): void {
    const nowMs = performance.now();
    if (this.#endedMs === undefined) {
      this.#endedMs = nowMs;
      this.#end(reason);
    } else if (nowMs - this.#endedMs > SAME_SIGNAL_MS) {
      process.stderr.write('flamegate: second signal, leaving without drain\n');
      process.exit(1);
    }
  }
}

let signals: Signals | undefined;

/** The signals of this process; listens from the first call on. */
export function processSignals(): Signals {
  signals ??= new Signals();
  return signals;
}
