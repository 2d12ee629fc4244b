// Columns grow by doubling, so that filling one costs a copy or two in all. What a grown array holds beyond its rows is undefined.

/** The array itself, or a longer one that begins with it. */
export function grown(array: Uint32Array, length: number): Uint32Array {
  if (length <= array.length) return array;
  const longer = new Uint32Array(Math.max(length, array.length * 2));
  longer.set(array);
  return longer;
}

/** As `grown`, for bytes. */
export function grownBytes(array: Uint8Array, length: number): Uint8Array {
  if (length <= array.length) return array;
  const longer = new Uint8Array(Math.max(length, array.length * 2));
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
