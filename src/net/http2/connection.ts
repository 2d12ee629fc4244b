import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Accepting, Answer, Connection } from '../accepting.ts';
import { HeadError, type RequestHead } from '../http1/head.ts';
import { requestHead } from './head.ts';
import { IncomingStream } from './incoming.ts';
import { CONNECTION_WINDOW_BYTES, SESSION_OPTIONS } from './limits.ts';

/** What a connection begins with is made to look like a head of HTTP/1.1 (RFC 9113 section 3.4); what it goes on with, node:http2 checks. */
export const PREFACE_HEAD = 'PRI * HTTP/2.0';
/** By how much connections differ in how old they get, so that not all come back at once. */
const AGE_SPREAD = 0.1;
const nothing = () => {};

/** A connection of a sender, HTTP/2: node:http2 reads and writes frames, what is in them goes the way of HTTP/1.1. */
export class Http2Connection implements Connection {
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<IncomingStream>();
  readonly #remote: string;
  readonly #openedMs = performance.now();
  readonly #ageFactor = 1 + AGE_SPREAD * (2 * Math.random() - 1);
  #of: Accepting;
  /** Since when there is no request. */
  #idleMs = this.#openedMs;
  /** Since when no new request is taken. */
  #drainingMs: number | undefined;
  #bytesRead = 0;
  /** When bytes were last seen to have come, or an answer to a ping asked for. */
  #aliveMs = this.#openedMs;
  #pingedMs: number | undefined;

  constructor(socket: Socket, of: Accepting) {
    this.#socket = socket;
    this.#of = of;
    this.#remote = socket.remoteAddress ?? '';
    socket.setNoDelay(true);
    const session = performServerHandshake(socket, SESSION_OPTIONS);
    this.#session = session;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', (stream, fields, flags) => this.#begin(stream, fields, flags));
    // A session with an error ends itself.
    session.on('error', nothing);
    session.on('close', () => this.#of.gone(this));
    socket.on('error', nothing);
    // Nobody closes only one side of HTTP/2: who does has left.
    socket.on('end', () => this.destroy());
  }

  moveTo(port: Accepting): void {
    this.#of = port;
  }

  /** Tells the sender to ask no more, answers what it has asked, and ends. */
  drain(): void {
    if (this.#drainingMs !== undefined) return;
    this.#drainingMs = performance.now();
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  sweep(nowMs: number, sinceMs: number): void {
    const { stallMs, keepalive } = this.#of;
    for (const stream of this.#streams) stream.sweep(nowMs, sinceMs, stallMs);
    const { maxIdleMs, maxAgeMs, maxAgeGraceMs } = keepalive;
    const idle = this.#streams.size === 0;
    if (this.#drainingMs !== undefined) {
      const drainedMs = nowMs - this.#drainingMs;
      // The other side may never close its own.
      if (idle ? drainedMs > stallMs : maxAgeGraceMs > 0 && drainedMs > maxAgeGraceMs) this.destroy();
    } else if (idle && maxIdleMs > 0 && nowMs - this.#idleMs > maxIdleMs) this.drain();
    else if (maxAgeMs > 0 && nowMs - this.#openedMs > maxAgeMs * this.#ageFactor) this.drain();
    else this.#probe(nowMs);
  }

  /** Finds out whether the sender is still there. */
  #probe(nowMs: number): void {
    const { timeMs, timeoutMs } = this.#of.keepalive;
    if (this.#socket.bytesRead !== this.#bytesRead) {
      this.#bytesRead = this.#socket.bytesRead;
      this.#aliveMs = nowMs;
      this.#pingedMs = undefined;
    } else if (this.#pingedMs !== undefined) {
      if (nowMs - this.#pingedMs > timeoutMs) this.destroy();
    } else if (timeMs > 0 && nowMs - this.#aliveMs > timeMs && !this.#session.destroyed) {
      this.#pingedMs = nowMs;
      this.#session.ping(nothing);
    }
  }

  #begin(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, flags: number): void {
    // What breaks a stream shows as its end.
    stream.on('error', nothing);
    if (stream.destroyed) return;
    let head: RequestHead;
    try {
      head = requestHead(fields);
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#of.refused(error.status);
      stream.respond({ ':status': error.status }, { endStream: true });
      // Nobody reads what else comes of it.
      stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const request = new IncomingStream(stream, head, ended, this.#of.arriving, this.#remote);
    this.#streams.add(request);
    stream.once('close', () => {
      request.gone();
      this.#streams.delete(request);
      if (this.#streams.size === 0) this.#idleMs = performance.now();
    });
    void this.#of.serve(request).then(answer => this.#answer(request, answer));
  }

  #answer(request: IncomingStream, answer: Answer): void {
    try {
      request.answer(answer);
    } catch (error) {
      this.#of.bug(error);
      request.answer({ status: 500 });
    }
  }
}
