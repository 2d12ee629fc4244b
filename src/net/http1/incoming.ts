import type { Socket } from 'node:net';
import type { AcceptedRequest } from '../accepting.ts';
import type { Arriving } from '../arriving.ts';
import { BodyReader } from '../body.ts';
import type { RequestHead } from './head.ts';

/** One request of a connection of HTTP/1.1. */
export class Incoming implements AcceptedRequest {
  readonly head: RequestHead;
  readonly version = 1;
  readonly body: BodyReader;
  /** Whether `100 Continue` was sent. */
  continued = false;
  answered = false;
  readonly #socket: Socket;
  #listener: (() => void) | undefined;

  constructor(head: RequestHead, arriving: Arriving, socket: Socket, wanted: () => void) {
    this.head = head;
    this.#socket = socket;
    this.body = new BodyReader(head, arriving, { flow: wanted, giveUp: () => socket.destroy() });
  }

  get remote(): string {
    return this.#socket.remoteAddress ?? '';
  }

  onGone(listener: () => void): void {
    this.#listener = listener;
    if (this.#socket.destroyed && !this.answered) listener();
  }

  gone(): void {
    this.body.close();
    if (!this.answered) this.#listener?.();
  }
}
