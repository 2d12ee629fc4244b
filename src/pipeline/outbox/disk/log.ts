// SQLite's log (https://sqlite.org/fileformat2.html section 4) after a bit of it flipped. SQLite reads a log up to the first frame
// with a wrong checksum and forgets the rest without a word: right for what a power failure leaves, but commits that were
// acknowledged would be lost for one bit in an older frame.

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
const VERSION = 3_007_000;
const SALT_BYTES = 8;

export interface Healed {
  /** The log with every frame as it is and checksums that say so; undefined when SQLite reads what there is. */
  readonly bytes: Buffer | undefined;
  /** A sentence for the operator. */
  readonly said: string;
}

/**
 * Looks for damage in front of commits. Each checksum goes on from the one before as it is written, so the frames behind a damaged
 * one can be told to be sound.
 * @param pageBytes page size of the database
 * @returns undefined when there is none
 */
export function healLog(log: Buffer, pageBytes: number): Healed | undefined {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const count = Math.max(0, Math.floor((log.length - HEADER_BYTES) / frameBytes));
  const at = (frame: number) => HEADER_BYTES + frame * frameBytes;
  const headerSound = soundHeader(log, pageBytes);
  const salts = headerSound ? log.subarray(16, 16 + SALT_BYTES) : commonSalts(log, count, at);
  if (!salts) return undefined;
  const bigEndian = headerSound ? log.readUInt32BE(0) & 1 : 0;
  const saltsOf = (frame: number) => log.subarray(at(frame) + 8, at(frame) + 8 + SALT_BYTES);
  let end = count;
  while (end > 0 && !saltsOf(end - 1).equals(salts)) end--;
  const damaged: number[] = [];
  const commits: number[] = [];
  let stored = headerSound ? pairAt(log, 24) : undefined;
  for (let frame = 0; frame < end; frame++) {
    const start = at(frame);
    const next = pairAt(log, start + 16);
    const sound = stored !== undefined && same(next, frameSum(log, start, pageBytes, bigEndian, stored));
    if (!sound || !saltsOf(frame).equals(salts)) damaged.push(frame);
    if (log.readUInt32BE(start + 4) !== 0) commits.push(frame);
    stored = next;
  }
  const last = commits.at(-1);
  const first = damaged[0];
  if (last === undefined || first === undefined || first > last) return undefined;
  const before = commits.at(-2) ?? -1;
  if (headerSound && first > before)
    return {
      bytes: undefined,
      said: 'the last transaction in the log of the queue file is not whole and is left out; after a kill or a power failure that is normal, and nobody was told that it was stored',
    };
  return {
    bytes: rewritten(log, end, at, pageBytes, salts),
    said: `the log of the queue file was damaged in ${damaged.length} of ${end} places, what stands behind them was read all the same`,
  };
}

type Pair = readonly [number, number];
const pairAt = (bytes: Buffer, at: number): Pair => [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
const same = (a: Pair, b: Pair) => a[0] === b[0] && a[1] === b[1];

function soundHeader(log: Buffer, pageBytes: number): boolean {
  if (log.length < HEADER_BYTES || log.readUInt32BE(0) >>> 1 !== MAGIC >>> 1) return false;
  if (log.readUInt32BE(4) !== VERSION || log.readUInt32BE(8) !== pageBytes) return false;
  return same(pairAt(log, 24), sum(log, 0, 24, log.readUInt32BE(0) & 1, [0, 0]));
}

/** What a damaged header no longer says: two of the first three frames agree. */
function commonSalts(log: Buffer, count: number, at: (frame: number) => number): Buffer | undefined {
  const first = Array.from({ length: Math.min(3, count) }, (_, n) => log.subarray(at(n) + 8, at(n) + 8 + SALT_BYTES));
  return first.find((salts, n) => first.some((other, m) => m !== n && other.equals(salts)));
}

const frameSum = (log: Buffer, start: number, pageBytes: number, bigEndian: number, from: Pair): Pair =>
  sum(log, start + FRAME_HEADER_BYTES, pageBytes, bigEndian, sum(log, start, 8, bigEndian, from));

/** SQLite's checksum over 32-bit words; the magic number says in which byte order. */
function sum(bytes: Buffer, start: number, length: number, bigEndian: number, [first, second]: Pair): Pair {
  let [a, b] = [first, second];
  for (let at = start; at < start + length; at += 8) {
    a = (a + (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0;
    b = (b + (bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0;
  }
  return [a, b];
}

function rewritten(log: Buffer, end: number, at: (frame: number) => number, pageBytes: number, salts: Buffer): Buffer {
  const out = Buffer.from(log.subarray(0, at(end)));
  const kept = Buffer.from(salts);
  out.writeUInt32BE(MAGIC, 0);
  out.writeUInt32BE(VERSION, 4);
  out.writeUInt32BE(pageBytes, 8);
  kept.copy(out, 16);
  let last = sum(out, 0, 24, 0, [0, 0]);
  const write = (start: number) => {
    out.writeUInt32BE(last[0], start);
    out.writeUInt32BE(last[1], start + 4);
  };
  write(24);
  for (let frame = 0; frame < end; frame++) {
    const start = at(frame);
    kept.copy(out, start + 8);
    last = frameSum(out, start, pageBytes, 0, last);
    write(start + 16);
  }
  return out;
}
