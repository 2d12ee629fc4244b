import type { Response } from '../api/index.ts';
import type { Arriving } from './arriving.ts';
import type { BodyReader } from './body.ts';
import type { RequestHead } from './http1/head.ts';

/** What a connection needs of the port that accepted it. */
export interface Accepting {
  readonly arriving: Arriving;
  /** Time without a byte after which a sender is given up, ms. */
  readonly stallMs: number;
  readonly keepalive: Keepalive;
  /** Whether the port closes, so that no connection is to be kept. */
  readonly closing: boolean;
  /** Answers one request; never rejects. */
  serve(request: AcceptedRequest): Promise<Answer>;
  /** Told of a request that could not be read. */
  refused(status: number): void;
  /** Told of an answer that could not be written. */
  bug(thrown: unknown): void;
  /** A connection goes on as another one. */
  became(old: Connection, next: Connection): void;
  gone(connection: Connection): void;
}

/** How long connections of HTTP/2 are kept, ms; 0 is for ever. */
export interface Keepalive {
  /** Without a request. */
  readonly maxIdleMs: number;
  /** In all; afterwards the sender is asked to open another. */
  readonly maxAgeMs: number;
  /** How long requests may still take after that. */
  readonly maxAgeGraceMs: number;
  /** Without a sign of life after which one is asked for. */
  readonly timeMs: number;
  /** What such an answer may take. */
  readonly timeoutMs: number;
}

/** One request as it arrived. */
export interface AcceptedRequest {
  readonly head: RequestHead;
  readonly version: 1 | 2;
  readonly body: BodyReader;
  readonly remote: string;
  /** Calls back once if the sender goes away before it has its answer. */
  onGone(listener: () => void): void;
}

/** What is written back. */
export interface Answer extends Response {
  /** Fields behind the body. Only answers to requests of HTTP/2 have them. */
  readonly trailers?: Readonly<Record<string, string>>;
}

/** A connection of a sender. */
export interface Connection {
  /** The next request is served there. */
  moveTo(port: Accepting): void;
  /** Called now and then: gives up what does not move. @param sinceMs time since the last call, or what counts of it */
  sweep(nowMs: number, sinceMs: number): void;
  /** Ends once what is under way is answered. */
  drain(): void;
  destroy(): void;
}
