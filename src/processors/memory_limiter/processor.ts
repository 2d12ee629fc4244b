import type { Component, Consumer, Host, ProfileBatch, Result, TraceBatch } from '../../api/index.ts';
import type { Config } from './config.ts';

const MIB = 1024 * 1024;
const DEFAULT_SPIKE_SHARE = 0.2;
/** The least that payloads may hold, however large the base: a gateway that refuses everything helps nobody. */
const MIN_BUDGET_BYTES = 8 * MIB;
/** Share of the budget beyond which memory is short, and garbage worth a collection. */
const SHORT_SHARE = 0.75;
/** How long a refused sender should wait, ms. */
const RETRY_AFTER_MS = 1000;

/**
 * Gives payloads what the limit leaves above the process's base, and refuses while there is no room. Where the budget is spent,
 * `net` refuses already before it reads a body.
 */
export class MemoryLimiter implements Component, Consumer<'profiles' | 'traces'> {
  readonly #softBytes: number;
  readonly #spikeBytes: number;
  readonly #intervalMs: number;
  readonly #host: Host;
  readonly #next: Consumer<'profiles' | 'traces'>;
  readonly #rss: () => number;
  readonly #refusal: Result;
  #stopping: AbortController | undefined;
  #undo: (() => void) | undefined;
  #full = false;
  /** What queues let go of since the process was last below the limit: it stays resident for a while, but is used again. */
  #roomBytes = 0;
  #warned = false;

  /** @param rss resident memory in bytes; replaced in tests */
  constructor(
    config: Config,
    host: Host,
    next: Consumer<'profiles' | 'traces'>,
    rss: () => number = () => process.memoryUsage.rss(),
  ) {
    const limit = config.limit_mib * MIB;
    const { spike_limit_mib: spike } = config;
    this.#spikeBytes = spike === undefined ? limit * DEFAULT_SPIKE_SHARE : spike * MIB;
    this.#softBytes = limit - this.#spikeBytes;
    this.#intervalMs = config.check_interval;
    this.#host = host;
    this.#next = next;
    this.#rss = rss;
    this.#refusal = {
      kind: 'refused',
      reason: `memory_limiter: the process is near its limit of ${config.limit_mib} MiB`,
      retryAfterMs: RETRY_AFTER_MS,
    };
  }

  async start(): Promise<void> {
    const stopping = new AbortController();
    this.#stopping = stopping;
    this.#check();
    void this.#watch(stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping?.abort();
    this.#stopping = undefined;
    this.#undo?.();
    this.#undo = undefined;
    this.#full = false;
  }

  consume(batch: ProfileBatch | TraceBatch, abort: AbortSignal): Promise<Result> {
    return this.#full ? Promise.resolve(this.#refusal) : this.#next.consume(batch, abort);
  }

  async #watch(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted) {
      await this.#host.clock.sleep(this.#intervalMs, stopping);
      if (!stopping.aborted) this.#check();
    }
  }

  #check(): void {
    const { heldBytes, freeBytes } = this.#host.memory.usage;
    const rss = this.#rss();
    // Slabs that were never written are not resident yet: the base then looks too small, and the next check corrects it.
    const baseBytes = Math.max(0, rss - heldBytes - freeBytes);
    const budget = Math.max(MIN_BUDGET_BYTES, this.#softBytes - baseBytes);
    this.#undo?.();
    this.#undo = this.#host.memory.limit(budget);
    if (this.#softBytes - baseBytes < MIN_BUDGET_BYTES && !this.#warned) {
      this.#warned = true;
      this.#host.log.warn('memory limit leaves hardly any room for payloads, raise limit_mib', { baseBytes, budget });
    }
    // Garbage is resident too: nobody is to be locked out for it, and no queue is to give way, unless it takes the last room there is.
    const short = rss > this.#softBytes || heldBytes > budget * SHORT_SHARE;
    if (short && this.#host.memory.reclaim() && rss < this.#softBytes + this.#spikeBytes) return;
    // What is always allowed to be held is no reason to refuse: waiting would not make the process smaller.
    const full = this.#excess(rss) > 0 && heldBytes > MIN_BUDGET_BYTES;
    if (full === this.#full) return;
    this.#full = full;
    const why = new Error(
      `resident memory ${Math.round(rss / MIB)} MiB, refusing above ${Math.round(this.#softBytes / MIB)} MiB`,
    );
    if (full) this.#host.log.warn('memory limit reached, refusing', { rssBytes: rss, heldBytes });
    else this.#host.log.info('memory is below the limit again', { rssBytes: rss, heldBytes });
    this.#host.report(full ? 'degraded' : 'ok', full ? why : undefined);
  }

  /** Bytes above the limit once queues of dead stores gave way; never more of them than the spike is trusted to be used again. */
  #excess(rss: number): number {
    const over = rss - this.#softBytes;
    if (over <= 0) this.#roomBytes = 0;
    else if (over > this.#roomBytes) this.#roomBytes += this.#host.memory.makeRoom(over - this.#roomBytes);
    return over - Math.min(this.#roomBytes, this.#spikeBytes);
  }
}
