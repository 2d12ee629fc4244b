// Columns grow by doubling, so that filling one costs a copy or two in all. What a grown array holds beyond its rows is undefined.

/** What arrays may still grow by in all, bytes. One for the thread, as a thread fills one profile at a time, without a pause. */
let leftBytes = Number.POSITIVE_INFINITY;

/** A column would grow beyond the limit. */
export class OutOfRoom extends Error {}

/** Runs `fill`, whose columns grow by so much at most. @throws OutOfRoom, with columns half filled; and what `fill` throws */
export function growingWithin<T>(bytes: number, fill: () => T): T {
  leftBytes = bytes;
  try {
    return fill();
  } finally {
    leftBytes = Number.POSITIVE_INFINITY;
  }
}

/** For whatever grows in another way than `grown`: asked before memory is taken. @throws OutOfRoom */
export function takeRoom(bytes: number): void {
  leftBytes -= bytes;
  if (leftBytes < 0) throw new OutOfRoom('columns grow beyond their limit');
}

/** The array itself, or a longer one that begins with it. */
export function grown(array: Uint32Array, length: number): Uint32Array {
  if (length <= array.length) return array;
  const next = Math.max(length, array.length * 2);
  takeRoom(4 * (next - array.length));
  const longer = new Uint32Array(next);
  longer.set(array);
  return longer;
}

/** As `grown`, for bytes. */
export function grownBytes(array: Uint8Array, length: number): Uint8Array {
  if (length <= array.length) return array;
  const next = Math.max(length, array.length * 2);
  takeRoom(next - array.length);
  const longer = new Uint8Array(next);
  longer.set(array);
  return longer;
}

/** A growing column of unsigned 32-bit numbers. */
export class Rows {
  items = new Uint32Array(16) as Uint32Array;
  length = 0;

  push(item: number): void {
    if (this.length === this.items.length) this.items = grown(this.items, this.length + 1);
    this.items[this.length++] = item;
  }
}
