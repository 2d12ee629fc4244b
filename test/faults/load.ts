import { Agent, request } from 'node:http';
import { numbered } from '../kit/pprof.ts';
import type { Ledger } from './ledger.ts';

/** Senders that go on whatever happens: each sends its next profile once the last was answered or its connection broke. */
export class Load {
  readonly #ledger: Ledger;
  readonly #port: number;
  readonly #agent: Agent;
  readonly #senders: Promise<void>[] = [];
  readonly statuses = new Map<number | string, number>();
  #stopped = false;

  constructor(ledger: Ledger, port: number, senders: number) {
    this.#ledger = ledger;
    this.#port = port;
    this.#agent = new Agent({ keepAlive: true, maxSockets: senders });
    for (let n = 0; n < senders; n++) this.#senders.push(this.#run());
  }

  /** Profiles that were answered 200 so far. */
  get accepted(): number {
    return this.statuses.get(200) ?? 0;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#senders);
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const number = this.#ledger.next();
      const body = numbered(number);
      this.#ledger.sent(number, body);
      const status = await this.#send(number, body);
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      if (status === 200) this.#ledger.acknowledged(number);
      // The process may be down: another try at once would only burn the CPU it needs to come up.
      else await new Promise(resolve => setTimeout(resolve, 5));
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
