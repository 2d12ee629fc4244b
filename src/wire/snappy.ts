// Snappy, decoding only: https://github.com/google/snappy, format_description.txt and framing_format.txt. Our own, since the packages
// either take a block that ends early for a whole one, or have no bound on what they write.
import { DecodeError } from './decode-error.ts';

const STREAM_ID = Buffer.from([0xff, 6, 0, 0, ...Buffer.from('sNaPpY')]);
/** Bytes of a chunk's type and length, and of a data chunk's checksum. */
const CHUNK_HEAD = 4;
const CHECKSUM = 4;
/** Most that a chunk of data holds, bytes. */
const MAX_CHUNK_BYTES = 65_536;
const COMPRESSED_CHUNK = 0x00;
const PLAIN_CHUNK = 0x01;
/** Chunks from here to 0xfd, and padding, may be passed over. */
const FIRST_SKIPPABLE = 0x80;

const damaged = (what: string) => new DecodeError('bad_compression', `the snappy stream is damaged: ${what}`);

/** Whether the bytes are framed; a block of that beginning would be longer than any that is taken. */
export function isFramedSnappy(bytes: Uint8Array): boolean {
  return bytes.length >= STREAM_ID.length && STREAM_ID.equals(bytes.subarray(0, STREAM_ID.length));
}

/** How long the content says it is, bytes; nothing is decoded yet, so that room for it can be looked for. @throws DecodeError */
export function snappyLength(bytes: Uint8Array): number {
  if (!isFramedSnappy(bytes)) return blockLength(bytes, 0, bytes.length).length;
  let length = 0;
  for (const { type, from, to } of chunksOf(bytes))
    length += type === PLAIN_CHUNK ? to - from : chunkLength(bytes, from, to);
  return length;
}

/**
 * Undoes a block or a framed stream.
 * @param out as long as `snappyLength` says; may lie in shared memory, as may `bytes`
 * @throws DecodeError bad_compression
 */
export function unsnap(bytes: Uint8Array, out: Uint8Array): void {
  if (!isFramedSnappy(bytes)) {
    const { length, at } = blockLength(bytes, 0, bytes.length);
    readBlock(bytes, at, bytes.length, out, 0, length);
    return;
  }
  let written = 0;
  for (const { type, from, to, checksum } of chunksOf(bytes)) {
    const start = written;
    if (type === PLAIN_CHUNK) {
      out.set(bytes.subarray(from, to), written);
      written += to - from;
    } else {
      const { length, at } = blockLength(bytes, from, to);
      readBlock(bytes, at, to, out, written, length);
      written += length;
    }
    if (maskedCrc(out, start, written) !== checksum) throw damaged('a checksum is wrong');
  }
}

interface Chunk {
  readonly type: number;
  /** Bounds of what follows the checksum. */
  readonly from: number;
  readonly to: number;
  readonly checksum: number;
}

function* chunksOf(bytes: Uint8Array): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = STREAM_ID.length; at < bytes.length; ) {
    if (at + CHUNK_HEAD > bytes.length) throw damaged('it ends within a chunk');
    const head = view.getUint32(at, true);
    const type = head & 0xff;
    const from = at + CHUNK_HEAD;
    const to = from + (head >>> 8);
    if (to > bytes.length) throw damaged('it ends within a chunk');
    at = to;
    if (type === COMPRESSED_CHUNK || type === PLAIN_CHUNK) {
      if (from + CHECKSUM > to) throw damaged('a chunk is too short');
      if (type === PLAIN_CHUNK && to - from - CHECKSUM > MAX_CHUNK_BYTES) throw damaged('a chunk is too long');
      yield { type, from: from + CHECKSUM, to, checksum: view.getUint32(from, true) };
    } else if (type < FIRST_SKIPPABLE) throw damaged('a chunk is of an unknown type');
  }
}

function chunkLength(bytes: Uint8Array, from: number, to: number): number {
  const { length } = blockLength(bytes, from, to);
  if (length > MAX_CHUNK_BYTES) throw damaged('a chunk is too long');
  return length;
}

/** The length at the head of a block: a varint of at most 32 bits. */
function blockLength(bytes: Uint8Array, from: number, end: number): { length: number; at: number } {
  let length = 0;
  for (let at = from, shift = 0; at < end && shift < 35; at++, shift += 7) {
    const byte = bytes[at]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) {
      if (length > 0xffff_ffff) break;
      return { length, at: at + 1 };
    }
  }
  throw damaged('it does not begin with its length');
}

function readBlock(bytes: Uint8Array, start: number, end: number, out: Uint8Array, outStart: number, length: number) {
  const outEnd = outStart + length;
  let at = start;
  let to = outStart;
  while (at < end) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let count = (tag >>> 2) + 1;
      if (count > 60) {
        const size = count - 60;
        if (at + size > end) throw damaged('it ends within a literal');
        count = littleEndian(bytes, at, size) + 1;
        at += size;
      }
      if (at + count > end) throw damaged('it ends within a literal');
      if (to + count > outEnd) throw damaged('it is longer than it says');
      if (count <= 16) for (let n = 0; n < count; n++) out[to + n] = bytes[at + n]!;
      else out.set(bytes.subarray(at, at + count), to);
      at += count;
      to += count;
      continue;
    }
    const size = kind === 3 ? 4 : kind;
    if (at + size > end) throw damaged('it ends within a copy');
    const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset = littleEndian(bytes, at, size) + (kind === 1 ? (tag >>> 5) * 256 : 0);
    at += size;
    if (offset === 0 || offset > to - outStart) throw damaged('a copy is of what is not there');
    if (to + count > outEnd) throw damaged('it is longer than it says');
    // Byte by byte: a copy may read what it has just written.
    for (const stop = to + count; to < stop; to++) out[to] = out[to - offset]!;
  }
  if (to !== outEnd) throw damaged('it is shorter than it says');
}

function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let n = size - 1; n >= 0; n--) value = value * 256 + bytes[at + n]!;
  return value;
}

/** CRC-32C, reflected polynomial. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_none, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** The checksum as framing_format.txt section 3 masks it. */
function maskedCrc(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0xffff_ffff;
  for (let at = from; at < to; at++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ bytes[at]!) & 0xff]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
