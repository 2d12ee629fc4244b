// HTTP/1.1 answers as a client reads them (RFC 9112 sections 4, 6 and 7), from pieces cut anywhere.
import { Chunked } from './chunked.ts';

/** Longest status line and headers of an answer, bytes; as node:http has it. */
const MAX_HEAD_BYTES = 16 * 1024;
/** How much of an answer's body is kept, and what becomes of an answer that is longer. */
export interface AnswerLimit {
  readonly bytes: number;
  /** `cut`: the rest is read and thrown away. `fail`: the answer is an error. */
  readonly beyond: 'cut' | 'fail';
}
/** Enough for any error text, where nothing else of the body is read. */
export const ERROR_TEXT: AnswerLimit = { bytes: 64 * 1024, beyond: 'cut' };

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const NO_BODY = Buffer.alloc(0);

export type AnswerHeaders = Record<string, string | undefined>;

/** An answer that is no HTTP/1.1, or larger than it may be. `code` is the key of `errno.ts`. */
export class AnswerError extends Error {
  readonly code: string;
  constructor(code: 'ANSWER_MALFORMED' | 'ANSWER_TOO_LARGE', message: string) {
    super(message);
    this.code = code;
  }
}

export const answerTooLong = (most: number) =>
  new AnswerError('ANSWER_TOO_LARGE', `the answer is longer than ${most} bytes`);
const malformed = (what: string) => new AnswerError('ANSWER_MALFORMED', what);

type State = 'head' | 'length' | 'close' | 'chunked' | 'done';

/** Reads one answer after the other from a connection. */
export class AnswerReader {
  status = 0;
  headers: AnswerHeaders = {};
  /** Whether the connection may carry another request once this answer is read. */
  reusable = false;
  #state: State = 'head';
  #head = '';
  #known: AnswerHead | undefined;
  readonly #limit: AnswerLimit;
  #chunked = new Chunked();
  /** Of the body, bytes still to come. */
  #left = 0;
  #kept = 0;
  #body: Buffer[] = [];

  constructor(limit: AnswerLimit) {
    this.#limit = limit;
  }

  /** Ready for the next answer. */
  reset(): void {
    this.#state = 'head';
    this.#head = '';
    this.#kept = 0;
    this.#body = [];
    this.headers = {};
  }

  /** Whether nothing of the answer has come. */
  get untouched(): boolean {
    return this.#state === 'head' && this.#head === '';
  }

  /** What the limit lets through of the body, as it was sent. */
  get body(): Buffer {
    if (this.#body.length === 0) return NO_BODY;
    return this.#body.length === 1 ? this.#body[0]! : Buffer.concat(this.#body);
  }

  /**
   * Takes the next bytes, which may be reused afterwards. True when the answer is complete.
   * @throws AnswerError
   */
  feed(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length && this.#state !== 'done') {
      switch (this.#state) {
        case 'head':
          at = this.#readHead(bytes, at);
          break;
        case 'length':
          at = this.#readData(bytes, at);
          break;
        case 'chunked':
          at = this.#readChunks(bytes, at);
          break;
        case 'close':
          this.#keep(bytes, at, bytes.length);
          at = bytes.length;
          break;
        default:
          this.#state satisfies never;
      }
    }
    if (at < bytes.length) this.reusable = false;
    return this.#state === 'done';
  }

  /** The other side sends nothing more. True when that is how the answer ends. */
  end(): boolean {
    this.reusable = false;
    return this.#state === 'close';
  }

  #readHead(bytes: Buffer, at: number): number {
    // The end may lie across two chunks: the search is over what is there already, and short.
    const before = this.#head.length;
    const found = before === 0 ? bytes.indexOf(HEAD_END, at) : -1;
    if (found >= 0) {
      this.#parseHead(bytes.toString('latin1', at, found));
      return found + HEAD_END.length;
    }
    this.#head += bytes.toString('latin1', at, Math.min(bytes.length, at + MAX_HEAD_BYTES));
    const end = this.#head.indexOf('\r\n\r\n', Math.max(0, before - HEAD_END.length));
    if (end < 0) {
      if (this.#head.length >= MAX_HEAD_BYTES)
        throw new AnswerError('ANSWER_TOO_LARGE', `the head of the answer is longer than ${MAX_HEAD_BYTES} bytes`);
      return bytes.length;
    }
    const head = this.#head.slice(0, end);
    this.#head = '';
    this.#parseHead(head);
    return at + end + HEAD_END.length - before;
  }

  #parseHead(text: string): void {
    // Answers of one store differ in their date, once a second.
    if (text !== this.#known?.text) this.#known = parseHead(text);
    const { status, headers, reusable } = this.#known;
    this.status = status;
    // Interim answers (100, 103) stand in front of the one that counts.
    if (status < 200) return;
    this.headers = headers;
    this.reusable = reusable;
    this.#expectBody(headers);
  }
  #expectBody(headers: AnswerHeaders): void {
    const coding = headers['transfer-encoding'];
    if (this.status === 204 || this.status === 304) this.#state = 'done';
    else if (coding !== undefined) {
      // A length beside it is how requests are smuggled: the connection ends here.
      if (headers['content-length'] !== undefined) this.reusable = false;
      this.#state = /(?:^|,)\s*chunked$/i.test(coding) ? 'chunked' : 'close';
      this.#chunked = new Chunked();
    } else if (headers['content-length'] === undefined) this.#state = 'close';
    else {
      if (!/^\d{1,15}$/.test(headers['content-length']))
        throw malformed('the content-length of the answer is no number');
      this.#left = Number(headers['content-length']);
      this.#state = this.#left === 0 ? 'done' : 'length';
    }
    if (this.#state === 'close') this.reusable = false;
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#keep(bytes, at, end);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = 'done';
    return end;
  }

  #readChunks(bytes: Buffer, at: number): number {
    let end: number;
    try {
      end = this.#chunked.feed(bytes, at, (from, to) => this.#keep(bytes, from, to));
    } catch (error) {
      throw error instanceof AnswerError ? error : malformed((error as Error).message);
    }
    if (this.#chunked.done) this.#state = 'done';
    return end;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const { bytes: most, beyond } = this.#limit;
    const end = Math.min(to, from + most - this.#kept);
    if (end < to && beyond === 'fail') throw answerTooLong(most);
    if (end <= from) return;
    this.#body.push(Buffer.from(bytes.subarray(from, end)));
    this.#kept += end - from;
  }
}

interface AnswerHead {
  readonly text: string;
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly reusable: boolean;
}

function parseHead(text: string): AnswerHead {
  const lines = text.split('\r\n');
  const [, minor, digits] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0]!) ?? [];
  const status = Number(digits);
  if (digits === undefined || status < 100) throw malformed('the answer does not begin with an HTTP/1.1 status line');
  if (status === 101) throw malformed('the store wants to switch protocols');
  const headers: AnswerHeaders = Object.create(null);
  for (let n = 1; n < lines.length; n++) {
    const line = lines[n]!;
    const colon = line.indexOf(':');
    if (colon <= 0 || line[colon - 1] === ' ') throw malformed('a header line of the answer has no name');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const connection = headers.connection?.toLowerCase() ?? '';
  const reusable = minor === '1' ? !connection.includes('close') : connection.includes('keep-alive');
  return { text, status, headers, reusable };
}
