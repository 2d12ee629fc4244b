import type { Socket } from 'node:net';
import type { Response } from '../../api/index.ts';
import type { Accepting, Connection } from '../accepting.ts';
import { MAX_DISCARD_BYTES } from '../body.ts';
import { Http2Connection, PREFACE_HEAD } from '../http2/connection.ts';
import { Chunked } from './chunked.ts';
import { HeadError, parseRequestHead, type RequestHead } from './head.ts';
import { Incoming } from './incoming.ts';
import { reading, unread } from './reading.ts';
import { writeResponse } from './response.ts';

/** Longest request head, bytes; `name` of /ingest holds all labels, and a gateway in front may add headers. */
const MAX_HEAD_BYTES = 32 * 1024;
/** Longest time for a request head, ms. */
const HEAD_TIMEOUT_MS = 10_000;
/** An idle connection is kept this long, ms: longer than Go's clients keep theirs (90 s), so that the client closes first. */
const KEEP_ALIVE_MS = 120_000;
/** What is kept of requests that come before the present one is answered, bytes; beyond it the sender is made to wait. */
const MAX_HELD_BYTES = 64 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
/** `moved`: the connection speaks HTTP/2 and is another's. */
type Phase = 'head' | 'body' | 'answer' | 'closing' | 'moved';

/**
 * A connection of a sender, HTTP/1.1, one request after the other. Bodies go from one static buffer into slabs: nothing is
 * allocated per read, which is what makes V8 collect under node:http (measured).
 */
export class AcceptedConnection implements Connection {
  readonly #socket: Socket;
  #of: Accepting;
  #phase: Phase = 'head';
  #headText = '';
  /** Whether no request has come yet. */
  #first = true;
  #request: Incoming | undefined;
  /** Of a body with a length, bytes still to come. */
  #left = 0;
  #chunked: Chunked | undefined;
  /** Whether the answer of the present request is out. */
  #answered = false;
  /** Bytes that nobody can take yet. */
  #held: Buffer | undefined;
  /** When the present head or phase began. */
  #activeMs = performance.now();
  #ended = false;
  /** Since when an answer waits for the sender to read it. */
  #unreadMs: number | undefined;
  /** Bytes that were thrown away since our side closed. */
  #discarded = 0;

  constructor(accepted: Socket, of: Accepting) {
    this.#of = of;
    this.#socket = reading(accepted, bytes => this.#read(bytes));
    this.#socket.setNoDelay(true);
    this.#socket.on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onClose);
  }

  drain(): void {
    if (this.#phase === 'head' && this.#headText === '') this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  moveTo(port: Accepting): void {
    this.#of = port;
  }

  sweep(nowMs: number, sinceMs: number): void {
    const { stallMs } = this.#of;
    const quietMs = nowMs - this.#activeMs;
    const body = this.#request?.body;
    if (this.#phase === 'head') {
      if (this.#headText !== '' && quietMs > HEAD_TIMEOUT_MS) this.#refuse(new HeadError(408, 'the head is too slow'));
      else if (this.#headText === '' && quietMs > KEEP_ALIVE_MS) this.#socket.destroy();
    } else if (this.#phase === 'closing') {
      if (quietMs > stallMs) this.#socket.destroy();
    } else if (this.#unreadMs !== undefined) {
      if (nowMs - this.#unreadMs > stallMs) this.#socket.destroy();
    } else if (body?.wanted && body.overdue(nowMs, sinceMs, stallMs)) {
      if (body.reading) body.late();
      else this.#socket.destroy();
    }
  }

  #read(bytes: Buffer): void {
    if (this.#held) {
      this.#hold(bytes);
      return;
    }
    const at = this.#consume(bytes, 0);
    if (this.#phase === 'moved') this.#moveToHttp2(bytes.subarray(at));
    else if (at < bytes.length) this.#hold(bytes.subarray(at));
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : Buffer.from(bytes);
    if (this.#held.length > MAX_HELD_BYTES) this.#socket.pause();
  }

  /** Goes on with what was held back. */
  #flow(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held) {
      const at = this.#consume(held, 0);
      if (at < held.length) this.#held = held.subarray(at);
    }
    if (!this.#held && this.#socket.isPaused()) this.#socket.resume();
  }

  /** Takes what the present phase can take; returns where it stopped. */
  #consume(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length) {
      if (this.#phase === 'head') at = this.#readHead(bytes, at);
      else if (this.#phase === 'body') {
        if (!this.#request!.body.wanted) return at;
        at = this.#readBody(bytes, at);
      } else if (this.#phase === 'closing') {
        this.#discarded += bytes.length - at;
        if (this.#discarded > MAX_DISCARD_BYTES) this.#socket.destroy();
        return bytes.length;
      } else return at;
    }
    return at;
  }

  #readHead(bytes: Buffer, start: number): number {
    let at = start;
    // Empty lines before a request are passed over (RFC 9112 section 2.2).
    if (this.#headText === '') while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
    const before = this.#headText.length;
    if (before === 0) {
      if (at === bytes.length) return at;
      const end = bytes.indexOf(HEAD_END, at);
      if (end >= 0 && end - at <= MAX_HEAD_BYTES) {
        this.#begin(bytes.toString('latin1', at, end));
        return end + HEAD_END.length;
      }
      this.#activeMs = performance.now();
    }
    const room = MAX_HEAD_BYTES + HEAD_END.length - before;
    this.#headText += bytes.toString('latin1', at, Math.min(bytes.length, at + room));
    const end = this.#headText.indexOf('\r\n\r\n', Math.max(0, before - HEAD_END.length));
    if (end < 0) {
      if (bytes.length - at >= room)
        this.#refuse(new HeadError(431, `the request head is longer than ${MAX_HEAD_BYTES} bytes`));
      return bytes.length;
    }
    const text = this.#headText.slice(0, end);
    this.#headText = '';
    this.#begin(text);
    return at + end + HEAD_END.length - before;
  }

  #begin(text: string): void {
    if (text === PREFACE_HEAD && this.#first) {
      this.#phase = 'moved';
      return;
    }
    this.#first = false;
    let head: RequestHead;
    try {
      head = parseRequestHead(text);
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      this.#refuse(error);
      return;
    }
    const request = new Incoming(head, this.#of.arriving, this.#socket, () => this.#wanted(request));
    this.#request = request;
    this.#answered = false;
    this.#left = head.length ?? 0;
    this.#chunked = head.length === undefined ? new Chunked() : undefined;
    this.#phase = 'body';
    if (head.length === 0) this.#bodyEnded(request);
    void this.#of.serve(request).then(response => this.#answer(request, response));
  }

  #wanted(request: Incoming): void {
    if (this.#request !== request || this.#phase !== 'body') return;
    if (request.head.expectsContinue && !this.#answered && !request.continued) {
      request.continued = true;
      this.#socket.write(CONTINUE, 'latin1');
    }
    this.#flow();
  }

  #readBody(bytes: Buffer, at: number): number {
    const { body } = this.#request!;
    if (!this.#chunked) {
      const end = Math.min(bytes.length, at + this.#left);
      this.#left -= end - at;
      body.take(bytes, at, end);
      if (this.#left === 0) this.#bodyEnded(this.#request!);
      return end;
    }
    try {
      const end = this.#chunked.feed(bytes, at, (from, to) => body.take(bytes, from, to));
      if (this.#chunked.done) this.#bodyEnded(this.#request!);
      return end;
    } catch (error) {
      body.close();
      this.#refuse(new HeadError(400, (error as Error).message));
      return bytes.length;
    }
  }

  #bodyEnded(request: Incoming): void {
    this.#phase = 'answer';
    request.body.end();
    if (this.#answered) this.#next();
  }

  #answer(request: Incoming, response: Response): void {
    request.body.release();
    if (this.#request !== request || this.#socket.destroyed || this.#phase === 'closing') return;
    this.#answered = true;
    request.answered = true;
    const { head } = request;
    // Who was too slow is not waited for again (RFC 9110 section 15.5.9).
    // Nor is who waits for a 100 that never came: whether its body follows is not known.
    const unsure = head.expectsContinue && !request.continued && this.#phase === 'body';
    const last = this.#ended && !this.#held;
    const keep = head.keepAlive && !this.#of.closing && !last && !unsure && response.status !== 408;
    const unsayable = writeResponse(this.#socket, response, keep ? KEEP_ALIVE_MS : 0, head.method === 'HEAD');
    if (unsayable) this.#of.bug(unsayable);
    if (!keep) this.#finish();
    else if (this.#phase === 'answer') this.#next();
    else request.body.discard();
  }

  #next(): void {
    // Who asks on without reading the answers would have them pile up here.
    if (this.#socket.writableNeedDrain) {
      this.#unreadMs = performance.now();
      this.#socket.once('drain', () => {
        this.#unreadMs = undefined;
        this.#next();
      });
      return;
    }
    // One request a turn: who sends thousands at once must not make the others wait for all of them.
    if (this.#held) setImmediate(this.#turn);
    else this.#turn();
  }

  readonly #turn = (): void => {
    if (this.#socket.destroyed) return;
    this.#request = undefined;
    this.#phase = 'head';
    this.#activeMs = performance.now();
    if (this.#held) this.#flow();
    else if (this.#socket.isPaused()) this.#socket.resume();
    if (this.#ended && this.#phase === 'head') this.#socket.destroySoon();
  };

  /** Closes our side and throws away what comes until the other side has read the answer and closes too. */
  #finish(): void {
    this.#phase = 'closing';
    this.#activeMs = performance.now();
    this.#socket.end();
    this.#flow();
    if (this.#ended) this.#socket.destroySoon();
  }

  #refuse({ status, message }: HeadError): void {
    this.#of.refused(status);
    if (!this.#answered || this.#phase === 'head') {
      const headers = { 'content-type': 'text/plain; charset=utf-8' };
      writeResponse(this.#socket, { status, headers, body: `${message}\n` }, 0, false);
    }
    this.#finish();
  }

  /** @param rest what has come behind the head */
  #moveToHttp2(rest: Buffer): void {
    this.#socket.off('error', this.#onError).off('end', this.#onEnd).off('close', this.#onClose);
    unread(this.#socket, Buffer.concat([Buffer.from(PREFACE_HEAD), HEAD_END, rest]));
    this.#of.became(this, new Http2Connection(this.#socket, this.#of));
  }

  readonly #onError = (): unknown => this.#socket.destroy();

  /** The sender has closed its side: after a whole request it still waits for the answer. */
  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#phase === 'answer') return;
    this.#request?.body.close();
    if (this.#phase !== 'body' || this.#answered) this.#socket.destroySoon();
  };

  readonly #onClose = (): void => {
    this.#request?.gone();
    this.#of.gone(this);
  };
}
