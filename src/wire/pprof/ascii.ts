/** Finds bytes above 127 four at a time. Works over shared memory, where the native checks want a view per string. */
export class AsciiCheck {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** Index of the first whole word within `bytes`. */
  readonly #offset: number = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const start = (bytes.byteOffset + 3) & ~3;
    const words = Math.max(0, (bytes.byteOffset + bytes.length - start) >> 2);
    this.#offset = start - bytes.byteOffset;
    this.#words = words > 0 ? new Uint32Array(bytes.buffer, start, words) : new Uint32Array(0);
  }

  /** Whether bytes `from` up to `to` are ASCII. */
  holds(from: number, to: number): boolean {
    const bytes = this.#bytes;
    const offset = this.#offset;
    let at = from;
    const head = Math.min(to, from + ((offset - from) & 3));
    for (; at < head; at++) if (bytes[at]! > 0x7f) return false;
    if (to - at >= 4) {
      const words = this.#words;
      const last = (to - offset) >>> 2;
      for (let word = (at - offset) >>> 2; word < last; word++) if ((words[word]! & 0x80808080) !== 0) return false;
      at = offset + last * 4;
    }
    for (; at < to; at++) if (bytes[at]! > 0x7f) return false;
    return true;
  }
}
