// A store that can do everything wrong: refuse, reset, fall silent, answer half, take its time, be gone.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Arrival, hashOf } from './ledger.ts';

/** What a store does with one request. */
export type Act =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Cuts the connection and keeps nothing. */
  | { readonly kind: 'reset' }
  /** Keeps the profile, begins to answer and cuts: nobody can know that it arrived. */
  | { readonly kind: 'half status' }
  | { readonly kind: 'half body' };

export const TAKEN: Act = { kind: 'answer', status: 200 };
export const refusal = (status: number, retryAfterSeconds?: number): Act => ({
  kind: 'answer',
  status,
  body: '{"code":"","message":"no"}',
  ...(retryAfterSeconds !== undefined && { headers: { 'retry-after': String(retryAfterSeconds) } }),
});

/** The number that `Load` put into the name of the profile. */
const NUMBER = /(?:\{|%7B|,|%2C)n(?:=|%3D)(\d+)/i;

export class Store {
  readonly arrivals: Arrival[] = [];
  /** Numbers that arrived. */
  readonly numbers = new Set<number>();
  requests = 0;
  act: (number: number) => Act = () => TAKEN;
  /** How long the next answer takes, ms. */
  delayMs: () => number = () => 0;
  #server: Server | undefined;
  #port = 0;
  readonly #waiting = new Set<() => void>();

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Opens the port; the same one again after `stop`. */
  async start(): Promise<this> {
    const server = createServer((request, response) => this.#take(request, response));
    await new Promise<void>(resolve => server.listen(this.#port, '127.0.0.1', resolve));
    // A test that failed before its clean-up must end, not hang.
    server.unref();
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Closes the port and cuts every connection. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise(resolve => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Resolves when the condition holds after some request; rejects when it does not within this time. */
  until(condition: () => boolean, what: string, ms: number): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`store: no ${what} within ${ms} ms, ${this.numbers.size} profiles arrived`));
      }, ms);
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      this.requests++;
      const number = Number(NUMBER.exec(request.url ?? '')?.[1] ?? -1);
      const act = this.act(number);
      const answer = () => this.#answer(response, act, number, Buffer.concat(chunks));
      const delayMs = this.delayMs();
      if (delayMs > 0) setTimeout(answer, delayMs).unref();
      else answer();
    });
  }

  #answer(response: ServerResponse, act: Act, number: number, body: Buffer): void {
    const { socket } = response;
    // Whoever asked has given up meanwhile.
    if (!socket || socket.destroyed) return;
    const keeps = act.kind === 'answer' ? act.status < 300 : act.kind !== 'reset';
    const arrival: Arrival = { number, hash: hashOf(body), atMs: performance.now(), answeredMs: undefined };
    if (keeps) {
      this.arrivals.push(arrival);
      this.numbers.add(number);
    }
    if (act.kind === 'answer') {
      response.on('finish', () => {
        arrival.answeredMs = performance.now();
      });
      response.writeHead(act.status, act.headers).end(act.body);
    } else if (act.kind === 'reset') socket.resetAndDestroy();
    else {
      socket.write(
        act.kind === 'half status' ? 'HTTP/1.1 20' : 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":',
      );
      socket.destroySoon();
    }
    for (const check of this.#waiting) check();
  }
}
