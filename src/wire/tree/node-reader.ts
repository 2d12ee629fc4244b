import { DecodeError } from '../decode-error.ts';
import { int64 } from '../protobuf.ts';

const MAX_VARINT_BYTES = 10;
/** Bytes that a node takes at least: three numbers. */
const LEAST_NODE_BYTES = 3;

/**
 * A cursor over nodes in pre-order: uvarint length of the name, name, uvarint value, uvarint number of children (Go's encoding/binary). Each
 * number of children is checked against the bytes that are left.
 */
export class NodeReader {
  nameFrom = 0;
  nameTo = 0;
  value = 0n;
  children = 0;
  readonly #bytes: Uint8Array;
  readonly #reason: string;
  #at = 0;
  #lo = 0;
  #hi = 0;

  /** @param reason of the errors */
  constructor(bytes: Uint8Array, reason: string) {
    this.#bytes = bytes;
    this.#reason = reason;
  }

  /** Reads a node. @throws DecodeError the reason, value_overflow */
  next(): void {
    this.#number();
    if (this.#hi !== 0 || this.#lo > this.#left) throw this.bad('a name is longer than what is left');
    this.nameFrom = this.#at;
    this.nameTo = this.#at += this.#lo;
    this.#number();
    if (this.#hi > 0x7fffffff) throw new DecodeError('value_overflow', 'a value is beyond 64 bits with a sign');
    this.value = this.#hi === 0 ? BigInt(this.#lo) : int64(this.#lo, this.#hi);
    this.#number();
    if (this.#hi !== 0 || this.#lo > this.#left / LEAST_NODE_BYTES)
      throw this.bad('a node has more children than there are');
    this.children = this.#lo;
  }

  /** @throws DecodeError the reason, where something is left */
  end(): void {
    if (this.#left > 0) throw this.bad('there is something behind the last node');
  }

  bad(message: string): DecodeError {
    return new DecodeError(this.#reason, message);
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  #number(): void {
    const bytes = this.#bytes;
    let lo = 0;
    let hi = 0;
    for (let n = 0; n < MAX_VARINT_BYTES; n++) {
      if (this.#at >= bytes.length) throw this.bad('it ends inside a node');
      const byte = bytes[this.#at++]!;
      const seven = byte & 0x7f;
      if (n < 4) lo |= seven << (7 * n);
      else if (n === 4) {
        lo |= seven << 28;
        hi = seven >>> 4;
      } else hi |= seven << (7 * n - 32);
      if (byte > 0x7f) continue;
      if (n === MAX_VARINT_BYTES - 1 && byte > 1) break;
      this.#lo = lo >>> 0;
      this.#hi = hi >>> 0;
      return;
    }
    throw this.bad('a number has more than 64 bits');
  }
}
