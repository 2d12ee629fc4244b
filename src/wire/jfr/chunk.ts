import { DecodeError } from '../decode-error.ts';
import { bad, type Input } from './input.ts';
import { eventAt, Metadata } from './metadata.ts';

const MAGIC = 0x464c5200;
export const HEADER_BYTES = 68;
const MAJOR_VERSION = 2;
/** Events of a lower type describe types. */
const CHECKPOINT_EVENT = 1;

/** Whether bytes begin as JFR ("FLR\0"). */
export function isJfr(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x46 && bytes[1] === 0x4c && bytes[2] === 0x52 && bytes[3] === 0;
}

/** Head of a chunk (JDK: jdk.jfr.internal.consumer.ChunkHeader); positions are those in the bytes. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly compressed: boolean;
  /** The newest checkpoint; 0 for none. */
  readonly checkpoint: number;
  readonly startNanos: bigint;
  readonly durationNanos: bigint;
  readonly ticksPerSecond: bigint;
  readonly metadata: Metadata;
}

/**
 * Reads the head of the chunk that begins here, and what it says of its types.
 * @throws DecodeError bad_jfr, unsupported_version, too_many_elements
 */
export function chunkAt(input: Input, start: number): Chunk {
  const { bytes } = input;
  if (bytes.length - start < 8) throw bad('a chunk is shorter than its head');
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  if (view.getUint32(0) !== MAGIC) throw bad('a chunk does not begin with FLR');
  if (view.getUint16(4) !== MAJOR_VERSION)
    throw new DecodeError('unsupported_version', 'the recording is not of version 2 (JDK 9 and later)');
  if (view.byteLength < HEADER_BYTES) throw bad('a chunk is shorter than its head');
  const size = view.getBigUint64(8);
  if (size < HEADER_BYTES || size > view.byteLength)
    throw bad('a chunk is cut off, is not finished, or says a size that it does not have');
  const end = start + Number(size);
  const within = (offset: bigint) => {
    if (offset < HEADER_BYTES || offset >= size) throw bad('a chunk says that a part of it lies elsewhere');
    return start + Number(offset);
  };
  const checkpoint = view.getBigUint64(16);
  const times = [view.getBigInt64(32), view.getBigInt64(40)] as const;
  const ticksPerSecond = view.getBigInt64(56);
  if (times[0] < 0n || times[1] < 0n || ticksPerSecond <= 0n) throw bad('a chunk has a negative time');
  input.compressed = (view.getUint8(67) & 1) === 1;
  return {
    start,
    end,
    compressed: input.compressed,
    checkpoint: checkpoint === 0n ? 0 : within(checkpoint),
    startNanos: times[0],
    durationNanos: times[1],
    ticksPerSecond,
    metadata: new Metadata(input, within(view.getBigUint64(24)), end),
  };
}

/**
 * Counts the events of a chunk, each in its type, and gives those of types that are described: where it begins, its fields, its end.
 * @returns how many there are in all
 * @throws DecodeError bad_jfr
 */
export function eachEvent(
  input: Input,
  { start, end, metadata }: Chunk,
  use: (type: number, from: number, at: number, end: number) => void,
): number {
  let events = 0;
  for (let from = start + HEADER_BYTES; from < end; ) {
    const event = eventAt(input, from, end);
    if (event.type > CHECKPOINT_EVENT) {
      events++;
      const type = metadata.types.get(event.type);
      if (type) {
        type.count++;
        use(event.type, from, event.at, event.end);
      }
    }
    from = event.end;
  }
  return events;
}
