// Between a sender and the gateway: passes every request on as it came and remembers what was sent and what was answered.
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Sent {
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** When the request was whole. */
  readonly atMs: number;
  readonly status: number;
}

export class Tap {
  readonly sent: Sent[] = [];
  readonly #target: URL;
  readonly #server: Server;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', chunk => chunks.push(chunk));
      request.on('end', () => {
        const atMs = Date.now();
        const body = Buffer.concat(chunks);
        const { 'transfer-encoding': _chunked, ...headers } = request.headers;
        const { hostname, port } = this.#target;
        const onward = httpRequest(
          {
            hostname,
            port,
            method: request.method,
            path: request.url,
            headers: { ...headers, 'content-length': body.length },
          },
          answer => {
            const [path = '', query = ''] = (request.url ?? '').split('?');
            this.sent.push({ path, query, headers: request.headers, body, atMs, status: answer.statusCode ?? 0 });
            response.writeHead(answer.statusCode ?? 0, answer.headers);
            answer.pipe(response);
          },
        );
        onward.on('error', () => response.destroy());
        onward.end(body);
      });
    });
  }

  /** Listens and passes on to `target`. */
  static async start(target: string): Promise<Tap> {
    const tap = new Tap(target);
    await new Promise<void>(resolve => tap.#server.listen(0, '127.0.0.1', resolve));
    tap.#server.unref();
    return tap;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
