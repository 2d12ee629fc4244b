// How the file keeps what its queues took lately: 8 bytes a batch, the names of the queues once for all batches of a transaction.
import { type Key, Recent } from './recent.ts';

/** What the same queues took. */
export interface Took {
  readonly queues: readonly string[];
  readonly keys: readonly Key[];
}

const KEY_BYTES = 8;
const LENGTH_BYTES = 2;

/** Length of the names, the names by line, the keys. */
export function packTook({ queues, keys }: Took): Uint8Array {
  const names = Buffer.from(queues.join('\n'));
  const row = Buffer.allocUnsafe(LENGTH_BYTES + names.length + keys.length * KEY_BYTES);
  let at = row.writeUInt16LE(names.length);
  at += names.copy(row, at);
  for (const { high, low } of keys) at = row.writeUInt32LE(low, row.writeUInt32LE(high, at));
  return row;
}

/** What can be read of a row: nothing vouches for one that comes out of a damaged file. */
export function unpackTook(row: Uint8Array | string): Took[] {
  if (typeof row === 'string') return unpackText(row);
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.length);
  if (bytes.length < LENGTH_BYTES) return [];
  const first = LENGTH_BYTES + bytes.readUInt16LE(0);
  const keys: Key[] = [];
  for (let at = first; at + KEY_BYTES <= bytes.length; at += KEY_BYTES)
    keys.push({ high: bytes.readUInt32LE(at), low: bytes.readUInt32LE(at + 4) || 1 });
  return [{ queues: bytes.toString('utf8', LENGTH_BYTES, first).split('\n'), keys }];
}

/** A row of an earlier version: a line for each batch and queue, `queue hash envelope`. */
function unpackText(row: string): Took[] {
  return row.split('\n').map(line => {
    const end = line.indexOf(' ');
    return { queues: [line.slice(0, end)], keys: [Recent.key(line.slice(end + 1))] };
  });
}
