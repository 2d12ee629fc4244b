import { grown, grownBytes } from './growth.ts';
import { StringIndex } from './string-index.ts';

const NO_BYTES = new Uint8Array(0);
/** Texts that are looked up by a scan over lengths, about 1 ns per string each; from then on an index pays for itself. */
const SCANS = 8;

/**
 * The string table. A string is a range of bytes, of the source or of what was appended, and no text until somebody asks. Row 0 is ''.
 * Strings may stand in the table more than once.
 */
export class Strings {
  /** Rows in use. */
  count = 0;
  /** Rows from the source in front of the first that was appended. */
  sourceCount = 0;
  /** Begin and end of each row; from the length of the source on, they lie in what was appended. */
  ranges = new Uint32Array(16) as Uint32Array;
  source: Uint8Array = NO_BYTES;
  #buffer: Buffer | undefined;
  #appended: Uint8Array = NO_BYTES;
  #appendedLength = 0;
  #scans = 0;
  #index: StringIndex | undefined;

  clear(source: Uint8Array): void {
    this.count = this.sourceCount = 0;
    this.source = source;
    this.#buffer = undefined;
    this.#appendedLength = 0;
    this.#scans = 0;
    this.#index = undefined;
  }

  /** What the arrays take, bytes, without the index of texts. */
  get heldBytes(): number {
    return this.ranges.byteLength + this.#appended.length;
  }

  /** For decoders: the next row is this range of the source. */
  add(from: number, to: number): void {
    const at = 2 * this.count;
    if (at === this.ranges.length) this.ranges = grown(this.ranges, at + 2);
    this.ranges[at] = from;
    this.ranges[at + 1] = to;
    if (this.sourceCount === this.count) this.sourceCount++;
    this.count++;
    this.#index?.add(this.count - 1);
  }

  /** What the bytes of a row lie in, from `offset(row)` on. */
  memory(row: number): Uint8Array {
    return this.ranges[2 * row]! < this.source.length ? this.source : this.#appended;
  }

  offset(row: number): number {
    const from = this.ranges[2 * row]!;
    return from < this.source.length ? from : from - this.source.length;
  }

  /** A view on the bytes of a row: valid until something is appended. */
  bytes(row: number): Uint8Array {
    const from = this.offset(row);
    return this.memory(row).subarray(from, from + this.byteLength(row));
  }

  byteLength(row: number): number {
    return this.ranges[2 * row + 1]! - this.ranges[2 * row]!;
  }

  /** The text of a row; what is not UTF-8 in it becomes U+FFFD. */
  text(row: number): string {
    const from = this.ranges[2 * row]!;
    const to = this.ranges[2 * row + 1]!;
    if (from === to) return '';
    const { source } = this;
    if (from >= source.length) {
      const { buffer, byteOffset } = this.#appended;
      return Buffer.from(buffer, byteOffset + this.offset(row), to - from).toString();
    }
    this.#buffer ??= Buffer.from(source.buffer, source.byteOffset, source.length);
    return this.#buffer.toString('utf8', from, to);
  }

  /** A new row, even if another holds the same text. */
  append(text: string | Uint8Array): number {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    const from = this.#appendedLength;
    this.#appended = grownBytes(this.#appended, from + bytes.length);
    this.#appended.set(bytes, from);
    this.#appendedLength += bytes.length;
    const row = this.count++;
    this.ranges = grown(this.ranges, 2 * this.count);
    this.ranges[2 * row] = this.source.length + from;
    this.ranges[2 * row + 1] = this.source.length + this.#appendedLength;
    this.#index?.add(row);
    return row;
  }

  /** The first row that holds this text, or a new one. */
  intern(text: string): number {
    const row = this.find(text);
    return row < 0 ? this.append(text) : row;
  }

  /** The first row that holds these bytes of the source, or a new one. */
  internRange(from: number, to: number): number {
    if (from === to) return 0;
    this.#index ??= new StringIndex(this);
    const row = this.#index.findIn(this.source, from, to - from);
    if (row >= 0) return row;
    this.add(from, to);
    return this.count - 1;
  }

  /** The first row that holds this text; -1 when there is none. */
  find(text: string): number {
    const bytes = Buffer.from(text);
    if (bytes.length === 0) return 0;
    if (this.#scans < SCANS) {
      this.#scans++;
      return this.next(bytes, 0);
    }
    this.#index ??= new StringIndex(this);
    return this.#index.find(bytes);
  }

  /** The first row from `row` on that holds these bytes; -1 when there is none. */
  next(bytes: Uint8Array, row: number): number {
    const { ranges, count } = this;
    for (let at = row; at < count; at++)
      if (ranges[2 * at + 1]! - ranges[2 * at]! === bytes.length && this.holds(at, bytes, 0, bytes.length)) return at;
    return -1;
  }

  /** Whether two rows hold the same text. */
  same(one: number, other: number): boolean {
    return one === other || this.holds(one, this.memory(other), this.offset(other), this.byteLength(other));
  }

  /** Whether a row holds exactly the bytes of `memory` from `offset` on. */
  holds(row: number, memory: Uint8Array, offset: number, length: number): boolean {
    if (this.byteLength(row) !== length) return false;
    const held = this.memory(row);
    const start = this.offset(row);
    for (let at = 0; at < length; at++) if (held[start + at] !== memory[offset + at]) return false;
    return true;
  }
}
