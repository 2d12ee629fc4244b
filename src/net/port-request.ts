import type { Request } from '../api/index.ts';
import type { AcceptedRequest } from './accepting.ts';

/** A request as components see it. */
export class PortRequest implements Request {
  readonly #accepted: AcceptedRequest;
  #abort: AbortController | undefined;

  constructor(accepted: AcceptedRequest) {
    this.#accepted = accepted;
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
  readonly framing = 'plain';
  /** Made on first use: most requests are answered before anybody asks. */
  get abort(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#accepted.onGone(() => abort.abort());
    }
    return this.#abort.signal;
  }
  read(options: Parameters<Request['read']>[0]): ReturnType<Request['read']> {
    return this.#accepted.body.read(options);
  }
}
