import type { Socket } from 'node:net';
import { type Address, coded, dial } from '../client-dial.ts';
import { type AnswerHeaders, type AnswerLimit, AnswerReader } from './answer.ts';

/** Answers are short; one buffer serves all connections, since each read is used up before the next. Bytes. */
const READ_BYTES = 64 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** One request on its way. `done` is called exactly once, when its bytes are not touched any more. */
export interface Exchange {
  readonly head: string;
  readonly chunks: readonly Uint8Array[];
  done(outcome: AnswerReader | Error): void;
}

/**
 * One connection to a store, for one request at a time. Head and body are handed to the system in one call, without being put
 * together; bodies may lie in shared memory. About a third of the CPU of a general HTTP client (test/bench/README.md).
 */
export class Connection {
  readonly #reader: AnswerReader;
  readonly #idle: (connection: Connection, headers: AnswerHeaders) => void;
  readonly #closed: (connection: Connection) => void;
  readonly #giveUp: () => void;
  /** Undefined until it is connected; the first request waits for that. */
  #socket: Socket | undefined;
  #exchange: Exchange | undefined;
  /** What `done` is told once the socket is closed. */
  #outcome: AnswerReader | Error | undefined;
  #writing = false;
  #answered = false;
  #timer: NodeJS.Timeout | undefined;
  #served = 0;
  /** Whether it was us who ended it. */
  #cut = false;

  /** @param idle called when an answer was read and the connection can carry the next request */
  constructor(
    address: Address,
    limit: AnswerLimit,
    idle: (connection: Connection, headers: AnswerHeaders) => void,
    closed: (connection: Connection) => void,
  ) {
    this.#reader = new AnswerReader(limit);
    this.#idle = idle;
    this.#closed = closed;
    const onread = {
      buffer: readBuffer,
      callback: (size: number) => {
        this.#read(readBuffer.subarray(0, size));
        return true;
      },
    };
    this.#giveUp = dial(address, onread, (outcome, direct) => {
      if (outcome instanceof Error) this.#end(outcome);
      else this.#connected(outcome, direct);
    });
  }

  #connected(socket: Socket, direct: boolean): void {
    this.#socket = socket;
    if (!direct) socket.on('data', (bytes: Buffer) => this.#read(bytes)).resume();
    socket.on('error', error => this.#close(error));
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#end(coded('CONNECTION_CLOSED', 'the connection was closed')));
    if (this.#exchange) this.#write(socket, this.#exchange);
  }

  /** Whether it served before and no byte of the present answer has come: then the store had closed it while it was idle. */
  get stale(): boolean {
    return this.#served > 1 && !this.#cut && this.#reader.untouched;
  }

  send(exchange: Exchange): void {
    clearTimeout(this.#timer);
    this.#served++;
    this.#exchange = exchange;
    this.#outcome = undefined;
    this.#answered = false;
    this.#reader.reset();
    if (this.#socket) this.#write(this.#socket, exchange);
  }

  #write(socket: Socket, { head, chunks }: Exchange): void {
    this.#writing = true;
    socket.cork();
    socket.write(head, 'latin1');
    const last = chunks.length - 1;
    for (let n = 0; n < last; n++) socket.write(chunks[n]!);
    socket.write(last < 0 ? '' : chunks[last]!, this.#written);
    socket.uncork();
  }

  /** Closes after this time without a request, ms. */
  expire(ms: number): void {
    this.#timer = setTimeout(() => this.#socket?.destroy(), ms);
    this.#timer.unref();
  }

  /** Ends what is under way with this error. */
  abort(reason: Error): void {
    this.#cut = true;
    this.#close(reason);
  }

  readonly #written = (error?: Error | null): void => {
    if (!error) this.#writing = false;
  };

  #read(bytes: Buffer): void {
    if (!this.#exchange || this.#answered) {
      // Nobody asked for these.
      this.#close(coded('ANSWER_MALFORMED', 'the store sent bytes after its answer'));
      return;
    }
    try {
      if (!this.#reader.feed(bytes)) return;
    } catch (error) {
      this.#close(error as Error);
      return;
    }
    this.#answered = true;
    // An early answer: the store does not want the rest, which must not be read from memory that goes back to the pool.
    if (this.#writing || !this.#reader.reusable) this.#close(this.#reader);
    else {
      const { headers } = this.#reader;
      this.#settle(this.#reader);
      this.#idle(this, headers);
    }
  }

  #ended(): void {
    if (this.#exchange && this.#reader.end()) this.#close(this.#reader);
    else this.#close(coded('CONNECTION_CLOSED', 'the store closed the connection before it answered'));
  }

  /** `done` waits for the close: until then the system may still read the body. */
  #close(outcome: AnswerReader | Error): void {
    this.#outcome ??= outcome;
    if (this.#socket) this.#socket.destroy();
    else {
      this.#giveUp();
      this.#end(this.#outcome);
    }
  }

  /** Nothing of it is left. */
  #end(outcome: AnswerReader | Error): void {
    clearTimeout(this.#timer);
    this.#closed(this);
    this.#settle(this.#outcome ?? outcome);
  }

  #settle(outcome: AnswerReader | Error): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.done(outcome);
  }
}
