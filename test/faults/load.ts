import { Agent, request } from 'node:http';
import { numbered } from '../kit/pprof.ts';
import type { Ledger } from './ledger.ts';

/** Pause after a connection that was refused, ms: the process is down, and another try at once would burn the CPU it needs to come up. */
const DOWN_MS = 25;

export interface LoadOptions {
  readonly senders: number;
  /** Profiles a second of all senders together; as many as are answered when absent. */
  readonly rate?: number;
  /** Bytes that are added to each profile. */
  readonly padding?: number;
  /** Pause after any answer but 200, ms. */
  readonly refusedMs?: number;
}

/** Senders that go on whatever happens: each sends its next profile once the last was answered or its connection broke. */
export class Load {
  readonly #ledger: Ledger;
  readonly #port: number;
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #senders: Promise<void>[] = [];
  readonly #startMs = performance.now();
  #begun = 0;
  readonly statuses = new Map<number | string, number>();
  /** How long each answer took, ms. */
  readonly tookMs: number[] = [];
  #stopped = false;

  constructor(ledger: Ledger, port: number, options: LoadOptions) {
    this.#ledger = ledger;
    this.#port = port;
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.senders });
    for (let n = 0; n < options.senders; n++) this.#senders.push(this.#run());
  }

  /** Profiles that were answered 200 so far. */
  get accepted(): number {
    return this.statuses.get(200) ?? 0;
  }
  /** Profiles that were answered, whatever. */
  get answered(): number {
    let sum = 0;
    for (const [status, count] of this.statuses) if (typeof status === 'number') sum += count;
    return sum;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#senders);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const { rate, padding, refusedMs } = this.#options;
    while (!this.#stopped) {
      if (rate !== undefined) await pause(this.#startMs + (this.#begun++ / rate) * 1000 - performance.now());
      if (this.#stopped) return;
      const number = this.#ledger.next();
      const body = padding === undefined ? numbered(number) : padded(numbered(number), padding);
      this.#ledger.sent(number, body);
      const sentMs = performance.now();
      const status = await this.#send(number, body);
      this.tookMs.push(performance.now() - sentMs);
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (status === 200) this.#ledger.acknowledged(number);
      else await pause(typeof status === 'string' ? DOWN_MS : (refusedMs ?? 5));
    }
  }

  #send(number: number, body: Buffer): Promise<number | string> {
    return new Promise(resolve => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          method: 'POST',
          path: `/ingest?name=app%7Bn%3D${number}%7D&format=pprof`,
          agent: this.#agent,
          headers: { 'content-length': body.length },
        },
        response => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
          response.on('error', () => resolve('cut'));
        },
      );
      outgoing.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
      outgoing.end(body);
    });
  }
}

const pause = (ms: number): Promise<void> | undefined =>
  ms > 0 ? new Promise(resolve => setTimeout(resolve, ms)) : undefined;

/** One more string in the table of a profile, which nothing names. */
export function padded(profile: Buffer, bytes: number): Buffer {
  const header = [0x32];
  let left = bytes;
  for (; left > 0x7f; left = Math.floor(left / 128)) header.push((left & 0x7f) | 0x80);
  header.push(left);
  return Buffer.concat([profile, Buffer.from(header), Buffer.alloc(bytes, 'x')]);
}
