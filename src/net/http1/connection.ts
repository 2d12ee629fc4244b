import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type AnswerHeaders, AnswerReader } from './answer.ts';

/** Time for a connection to be made, TLS included, ms. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Answers are short; one buffer serves all connections, since each read is used up before the next. Bytes. */
const READ_BYTES = 64 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Where a store listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** Makes it TLS. */
  readonly tls: ConnectionOptions | undefined;
}

/** One request on its way. `done` is called exactly once, when its bytes are not touched any more. */
export interface Exchange {
  readonly head: string;
  readonly chunks: readonly Uint8Array[];
  done(outcome: AnswerReader | Error): void;
}

/** An error of a connection that closed; `code` is the key of `errno.ts`. */
function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * One connection to a store, for one request at a time. Head and body are handed to the system in one call, without being put
 * together; bodies may lie in shared memory. About a third of the CPU of a general HTTP client (test/bench/README.md).
 */
export class Connection {
  readonly #socket: Socket;
  readonly #reader = new AnswerReader();
  readonly #idle: (connection: Connection, headers: AnswerHeaders) => void;
  #exchange: Exchange | undefined;
  /** What `done` is told once the socket is closed. */
  #outcome: AnswerReader | Error | undefined;
  #connected = false;
  #writing = false;
  #answered = false;
  #timer: NodeJS.Timeout | undefined;
  #served = 0;
  /** Whether it was us who ended it. */
  #cut = false;

  /** @param idle called when an answer was read and the connection can carry the next request */
  constructor(
    { host, port, tls }: Address,
    idle: (connection: Connection, headers: AnswerHeaders) => void,
    closed: (connection: Connection) => void,
  ) {
    this.#idle = idle;
    const ready = () => {
      this.#connected = true;
      clearTimeout(this.#timer);
    };
    if (tls) {
      this.#socket = connectTls({ ...tls, host, port }, ready).on('data', (bytes: Buffer) => this.#read(bytes));
    } else {
      const onread = {
        buffer: readBuffer,
        callback: (size: number) => {
          this.#read(readBuffer.subarray(0, size));
          return true;
        },
      };
      this.#socket = connectTcp({ host, port, noDelay: true, keepAlive: true, onread }, ready);
    }
    this.#socket.setNoDelay(true);
    this.#socket.on('error', error => this.#fail(error));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => {
      clearTimeout(this.#timer);
      closed(this);
      this.#settle(this.#outcome ?? coded('CONNECTION_CLOSED', 'the connection was closed'));
    });
    this.#timer = setTimeout(() => {
      if (!this.#connected) this.#fail(coded('CONNECT_TIMEOUT', `no connection within ${CONNECT_TIMEOUT_MS} ms`));
    }, CONNECT_TIMEOUT_MS);
  }

  /** Whether it served before and no byte of the present answer has come: then the store had closed it while it was idle. */
  get stale(): boolean {
    return this.#served > 1 && !this.#cut && this.#reader.untouched;
  }

  send(exchange: Exchange): void {
    if (this.#connected) clearTimeout(this.#timer);
    this.#served++;
    this.#exchange = exchange;
    this.#outcome = undefined;
    this.#writing = true;
    this.#answered = false;
    this.#reader.reset();
    const { head, chunks } = exchange;
    const socket = this.#socket;
    socket.cork();
    socket.write(head, 'latin1');
    const last = chunks.length - 1;
    for (let n = 0; n < last; n++) socket.write(chunks[n]!);
    socket.write(last < 0 ? '' : chunks[last]!, this.#written);
    socket.uncork();
  }

  /** Closes after this time without a request, ms. */
  expire(ms: number): void {
    this.#timer = setTimeout(() => this.#socket.destroy(), ms);
    this.#timer.unref();
  }

  /** Ends what is under way with this error. */
  abort(reason: Error): void {
    this.#cut = true;
    this.#fail(reason);
  }

  readonly #written = (error?: Error | null): void => {
    if (!error) this.#writing = false;
  };

  #read(bytes: Buffer): void {
    if (!this.#exchange || this.#answered) {
      // Nobody asked for these.
      this.#fail(coded('ANSWER_MALFORMED', 'the store sent bytes after its answer'));
      return;
    }
    try {
      if (!this.#reader.feed(bytes)) return;
    } catch (error) {
      this.#fail(error as Error);
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
    else this.#fail(coded('CONNECTION_CLOSED', 'the store closed the connection before it answered'));
  }

  #fail(error: Error): void {
    this.#close(error);
  }

  /** `done` waits for the close: until then the system may still read the body. */
  #close(outcome: AnswerReader | Error): void {
    this.#outcome ??= outcome;
    this.#socket.destroy();
  }

  #settle(outcome: AnswerReader | Error): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.done(outcome);
  }
}
