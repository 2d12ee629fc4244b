/** Longest line between chunks, bytes: sixteen digits and room for extensions nobody sends. */
const MAX_LINE_BYTES = 1024;
/** Longest trailer, bytes. Nobody reads it. */
const MAX_TRAILER_BYTES = 8 * 1024;
const LF = 0x0a;

/** Undoes the chunked transfer coding (RFC 9112 section 7.1) of bytes that come in pieces cut anywhere. */
export class Chunked {
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #line = '';
  /** Bytes of the chunk still to come. */
  #left = 0;
  #trailerBytes = 0;

  get done(): boolean {
    return this.#state === 'done';
  }

  /**
   * Reads from `at` until the bytes or the body end; `data` gets the bounds of each run of content.
   * @returns where it stopped
   * @throws Error with a phrase that says what is wrong
   */
  feed(bytes: Buffer, start: number, data: (from: number, to: number) => void): number {
    let at = start;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state !== 'data') {
        at = this.#readLine(bytes, at);
        continue;
      }
      const end = Math.min(bytes.length, at + this.#left);
      data(at, end);
      this.#left -= end - at;
      if (this.#left === 0) this.#state = 'data-end';
      at = end;
    }
    return at;
  }

  #readLine(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(LF, at);
    const end = found < 0 ? bytes.length : found;
    if (this.#line.length + end - at > MAX_LINE_BYTES) throw new Error('a line between chunks is too long');
    this.#line += bytes.toString('latin1', at, end);
    if (found < 0) return end;
    // A bare line feed is read in two ways by two servers in a row: that is how requests are smuggled.
    if (!this.#line.endsWith('\r')) throw new Error('a line between chunks ends without carriage return');
    const line = this.#line.slice(0, -1);
    this.#line = '';
    this.#take(line);
    return end + 1;
  }

  #take(line: string): void {
    if (this.#state === 'data-end') {
      if (line !== '') throw new Error('a chunk is longer than announced');
      this.#state = 'size';
    } else if (this.#state === 'trailer') {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > MAX_TRAILER_BYTES) throw new Error('the trailer is too long');
      if (line === '') this.#state = 'done';
    } else {
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;|$)/.exec(line)?.[1];
      if (size === undefined) throw new Error('the size of a chunk is no number');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'data';
    }
  }
}
