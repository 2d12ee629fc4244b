import type { Request } from '../api/index.ts';
import type { AcceptedRequest } from './accepting.ts';

/** A request as components see it. */
export class PortRequest implements Request {
  readonly #accepted: AcceptedRequest;
  readonly framing: Request['framing'];
  #abort: AbortController | undefined;
  #left = false;

  constructor(accepted: AcceptedRequest, framing: Request['framing']) {
    this.#accepted = accepted;
    this.framing = framing;
  }

  get method(): string {
    return this.#accepted.head.method;
  }
  get path(): string {
    return this.#accepted.head.path;
  }
  get query(): string {
    return this.#accepted.head.query;
  }
  get headers(): Request['headers'] {
    return this.#accepted.head.headers;
  }
  get remote(): string {
    return this.#accepted.remote;
  }
  /** Made on first use: most requests are answered before anybody asks. */
  get abort(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      this.#accepted.onGone(() => this.leave());
      if (this.#left) this.#abort.abort();
    }
    return this.#abort.signal;
  }
  read(options: Parameters<Request['read']>[0]): ReturnType<Request['read']> {
    return this.#accepted.body.read(options);
  }

  /** Nobody waits for the answer any more. */
  leave(): void {
    this.#left = true;
    this.#abort?.abort();
  }
}
