// HTTP/1.1 answers as a client reads them (RFC 9112 sections 4, 6 and 7), from chunks cut anywhere.

/** Longest status line and headers of an answer, bytes; as node:http has it. */
const MAX_HEAD_BYTES = 16 * 1024;
/** Longest line that announces a chunk, or trailer line, bytes: sixteen digits and room for extensions nobody sends. */
const MAX_LINE_BYTES = 1024;
/** What is kept of an answer's body, bytes: enough for any error text. The rest is read and thrown away. */
export const MAX_ANSWER_BYTES = 64 * 1024;

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const LF = 0x0a;
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

const malformed = (what: string) => new AnswerError('ANSWER_MALFORMED', what);

type State = 'head' | 'length' | 'close' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer' | 'done';

/** Reads one answer after the other from a connection. */
export class AnswerReader {
  status = 0;
  headers: AnswerHeaders = {};
  /** Whether the connection may carry another request once this answer is read. */
  reusable = false;
  #state: State = 'head';
  #head = '';
  #line = '';
  /** Of the body or chunk, bytes still to come. */
  #left = 0;
  #kept = 0;
  #body: Buffer[] = [];

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

  /** At most `MAX_ANSWER_BYTES` of the body, as it was sent. */
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
        case 'chunk-data':
          at = this.#readData(bytes, at);
          break;
        case 'close':
          this.#keep(bytes, at, bytes.length);
          at = bytes.length;
          break;
        default:
          at = this.#readLine(bytes, at);
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

  #parseHead(head: string): void {
    const lines = head.split('\r\n');
    const status = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0]!);
    if (!status) throw malformed('the answer does not begin with an HTTP/1.1 status line');
    const headers: AnswerHeaders = {};
    for (let n = 1; n < lines.length; n++) {
      const line = lines[n]!;
      const colon = line.indexOf(':');
      if (colon <= 0 || line[colon - 1] === ' ') throw malformed('a header line of the answer has no name');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    this.status = Number(status[2]);
    // Interim answers (100, 103) stand in front of the one that counts; nobody asked for 101.
    if (this.status < 200) {
      if (this.status === 101) throw malformed('the store wants to switch protocols');
      return;
    }
    this.headers = headers;
    const connection = headers.connection?.toLowerCase() ?? '';
    this.reusable = status[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive');
    this.#expectBody(headers);
  }

  #expectBody(headers: AnswerHeaders): void {
    const coding = headers['transfer-encoding'];
    if (this.status === 204 || this.status === 304) this.#state = 'done';
    else if (coding !== undefined) {
      // A length beside it is how requests are smuggled: the connection ends here.
      if (headers['content-length'] !== undefined) this.reusable = false;
      this.#state = /(?:^|,)\s*chunked$/i.test(coding) ? 'chunk-size' : 'close';
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
    if (this.#left === 0) this.#state = this.#state === 'length' ? 'done' : 'chunk-end';
    return end;
  }

  #readLine(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(LF, at);
    const end = found < 0 ? bytes.length : found;
    if (this.#line.length + end - at > MAX_LINE_BYTES) throw malformed('a line between chunks is too long');
    this.#line += bytes.toString('latin1', at, end);
    if (found < 0) return end;
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    if (this.#state === 'chunk-end') {
      if (line !== '') throw malformed('a chunk is longer than announced');
      this.#state = 'chunk-size';
    } else if (this.#state === 'trailer') {
      if (line === '') this.#state = 'done';
    } else {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;|$)/.exec(line)?.[1];
      if (size === undefined) throw malformed('the size of a chunk is no number');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'chunk-data';
    }
    return end + 1;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const end = Math.min(to, from + MAX_ANSWER_BYTES - this.#kept);
    if (end <= from) return;
    this.#body.push(Buffer.from(bytes.subarray(from, end)));
    this.#kept += end - from;
  }
}
