// A store as exporters see it: /ingest and push.v1, recorded; it can answer anything, be slow, or be gone.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type Pushed, pushed } from './pprof.ts';

export interface Delivery {
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly atMs: number;
  /** Of a push. */
  readonly pushed: Pushed[];
}

export type Answer = { status: number; body?: string; headers?: Record<string, string> } | 'reset';

export class FakeStore {
  readonly deliveries: Delivery[] = [];
  /** What the next requests hear; requests with another answer than 200 are not recorded. */
  answer: (request: { path: string }) => Answer | Promise<Answer> = () => ({ status: 200 });
  requests = 0;
  #server: Server | undefined;
  #port = 0;
  readonly #waiting = new Set<() => void>();
  /** Answers that are given but not yet written out. */
  readonly #answering = new Set<Promise<unknown>>();

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Opens the port; the same one again after `stop`. */
  async start(): Promise<this> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', chunk => chunks.push(chunk));
      request.on('end', async () => {
        this.requests++;
        const [path = '', query = ''] = (request.url ?? '').split('?');
        const answer = await this.answer({ path });
        if (answer === 'reset') request.socket.destroy();
        else {
          const body = Buffer.concat(chunks);
          if (answer.status === 200) this.#record(path, query, request.headers, body);
          const written = once(response, 'close').finally(() => this.#answering.delete(written));
          this.#answering.add(written);
          response.writeHead(answer.status, answer.headers).end(answer.body);
        }
        for (const check of this.#waiting) check();
      });
    });
    await new Promise<void>(resolve => server.listen(this.#port, '127.0.0.1', resolve));
    // A test that failed before its clean-up must end, not hang.
    server.unref();
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Closes the port and every connection; whoever was answered hears that answer, so that no delivery is made twice. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise(resolve => server.close(resolve));
    await Promise.all(this.#answering);
    server.closeAllConnections();
    await closed;
  }

  /** Resolves when the condition holds after some request; rejects after `ms`. */
  until(condition: () => boolean, what: string, ms = 20_000): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`store: no ${what} within ${ms} ms, ${this.deliveries.length} deliveries`));
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

  #record(path: string, query: string, headers: IncomingHttpHeaders, body: Buffer): void {
    const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    this.deliveries.push({
      path,
      query,
      headers,
      body,
      atMs: Date.now(),
      pushed: path.endsWith('/Push') ? pushed(plain) : [],
    });
  }
}
