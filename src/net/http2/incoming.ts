import { constants, type ServerHttp2Stream } from 'node:http2';
import type { AcceptedRequest, Accepting, Answer } from '../accepting.ts';
import { BodyReader } from '../body.ts';
import type { RequestHead } from '../http1/head.ts';
import { lengthOf, sayable } from '../http1/response.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

/** One request of a connection of HTTP/2. What is not asked for stays with the sender: that is what its flow control is for. */
export class IncomingStream implements AcceptedRequest {
  readonly head: RequestHead;
  readonly version = 2;
  readonly body: BodyReader;
  readonly remote: string;
  readonly #stream: ServerHttp2Stream;
  #flowing = false;
  /** Whether all of the body has come. */
  #ended: boolean;
  /** When the answer was written, by `performance.now()`. */
  #answeredMs: number | undefined;
  #listener: (() => void) | undefined;

  /** @param ended whether the request has no body */
  constructor(
    stream: ServerHttp2Stream,
    head: RequestHead,
    ended: boolean,
    arriving: Accepting['arriving'],
    remote: string,
  ) {
    this.head = head;
    this.remote = remote;
    this.#stream = stream;
    this.#ended = ended;
    this.body = new BodyReader(head, arriving, {
      flow: () => this.#flow(),
      giveUp: () => stream.close(NGHTTP2_NO_ERROR),
    });
    if (ended) this.body.end();
  }

  onGone(listener: () => void): void {
    this.#listener = listener;
    if (this.#stream.destroyed && this.#answeredMs === undefined) listener();
  }

  /** The stream is closed. */
  gone(): void {
    this.body.close();
    if (this.#answeredMs === undefined) this.#listener?.();
  }

  sweep(nowMs: number, sinceMs: number, stallMs: number): void {
    if (!this.#ended) {
      if (!this.body.wanted || !this.body.overdue(nowMs, sinceMs, stallMs)) return;
      if (this.body.reading) this.body.late();
      else this.#stream.close(NGHTTP2_CANCEL);
    } else if (this.#answeredMs !== undefined && nowMs - this.#answeredMs > stallMs) this.#stream.close(NGHTTP2_CANCEL);
  }

  /** @throws TypeError when a header cannot be sent */
  answer(answer: Answer): void {
    this.body.release();
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || this.#answeredMs !== undefined) return;
    const { status, headers, body, trailers } = answer;
    const fields: Record<string, string | number> = { ':status': status };
    for (const name in headers) fields[name] = sayable(name, headers[name]!);
    const length = lengthOf(body);
    // The last frame says where it ends; the length is for who shows how far it is.
    if (length > 0 && !trailers) fields['content-length'] = length;
    this.#answeredMs = performance.now();
    if (trailers) {
      stream.once('wantTrailers', () => stream.sendTrailers(trailers));
      stream.respond(fields, { waitForTrailers: true });
      stream.end(body);
    } else if (length === 0 || this.head.method === 'HEAD') stream.respond(fields, { endStream: true });
    else {
      stream.respond(fields);
      stream.end(body);
    }
    // Read and thrown away, as of HTTP/1.1: a sender that takes a reset (RFC 9113 section 8.1) for a failure would ask again.
    if (!this.#ended) this.body.discard();
  }

  #flow(): void {
    if (this.#flowing || this.#ended) return;
    this.#flowing = true;
    if (this.head.expectsContinue && !this.#stream.headersSent) this.#stream.additionalHeaders({ ':status': 100 });
    this.#stream.on('data', (bytes: Buffer) => this.body.take(bytes, 0, bytes.length));
    this.#stream.on('end', () => {
      // It ends as well when it is cut off.
      if (this.#stream.aborted) return;
      this.#ended = true;
      this.body.end();
    });
  }
}
