// Rows of a file whose tables SQLite cannot follow any more: one damaged page at the root of a table hides all of it, though the pages
// that hold the rows are sound. They are looked for page by page (https://sqlite.org/fileformat2.html, sections 1.5 to 2.1).
import type { FileEntry } from './database.ts';
import { Pages } from './pages.ts';
import { PAGE_BYTES } from './schema.ts';

const TABLE_LEAF = 13;
const LEAF_HEADER_BYTES = 8;
/** Of a row, what lies in the leaf itself: at most so much, at least so much. */
const MAX_LOCAL = PAGE_BYTES - 35;
const MIN_LOCAL = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
/** How many columns the rows of the two tables have: no other table has as many. */
const PAYLOAD_COLUMNS = 5;
const ENTRY_COLUMNS = 12;

export interface FoundPayload {
  readonly batch: string;
  readonly crc: number;
  readonly meta: string;
  readonly body: Uint8Array;
}

/** What may be an entry. */
export type EntryRow = { readonly [K in keyof FileEntry]: unknown };
type Value = string | number | Uint8Array | null;
interface Cell {
  readonly id: number;
  readonly page: number;
  /** Where its record begins in the page. */
  readonly at: number;
  /** Length of the record, the pages behind the leaf too. */
  readonly length: number;
}

/** Reads each page of a file once; of the payloads, which may be large, it keeps only the places. */
export class Scan {
  /** Rows with the columns of an entry. */
  readonly entries: readonly EntryRow[];
  readonly #pages: Pages;
  readonly #payloads = new Map<number, Cell>();

  constructor(file: string) {
    this.#pages = new Pages(file);
    const entries: EntryRow[] = [];
    // What was deleted may still stand in pages that are free.
    const free = this.#freePages();
    for (let page = 1; page <= this.#pages.count; page++) {
      const bytes = this.#pages.read(page);
      if (bytes[0] !== TABLE_LEAF || free.has(page)) continue;
      for (const cell of cellsOf(bytes, page)) {
        const types = typesOf(bytes, cell);
        // The id is not in the record.
        if (types?.[0] !== 0) continue;
        if (types.length === PAYLOAD_COLUMNS) this.#payloads.set(cell.id, cell);
        else if (types.length === ENTRY_COLUMNS) {
          const values = this.#values(cell);
          if (values) entries.push(rowOf(cell.id, values));
        }
      }
    }
    this.entries = entries;
  }

  payload(id: number): FoundPayload | undefined {
    const cell = this.#payloads.get(id);
    const [, batch, crc, meta, body] = (cell && this.#values(cell)) ?? [];
    if (typeof batch !== 'string' || typeof crc !== 'number' || typeof meta !== 'string') return undefined;
    return body instanceof Uint8Array ? { batch, crc, meta, body } : undefined;
  }

  close(): void {
    this.#pages.close();
  }

  /** The list of free pages, as far as it can be followed. */
  #freePages(): ReadonlySet<number> {
    const free = new Set<number>();
    let trunk = this.#pages.read(1).readUInt32BE(32);
    while (trunk > 1 && trunk <= this.#pages.count && !free.has(trunk)) {
      free.add(trunk);
      const bytes = this.#pages.read(trunk);
      const count = Math.min(bytes.readUInt32BE(4), PAGE_BYTES / 4 - 2);
      for (let n = 0; n < count; n++) free.add(bytes.readUInt32BE(8 + 4 * n));
      trunk = bytes.readUInt32BE(0);
    }
    return free;
  }

  /** Undefined when the pages of the row do not hang together. */
  #values({ page, at, length }: Cell): Value[] | undefined {
    if (length > this.#pages.count * PAGE_BYTES) return undefined;
    const leaf = this.#pages.read(page);
    const local = localOf(length);
    const parts = [leaf.subarray(at, at + local)];
    let next = local < length ? leaf.readUInt32BE(at + local) : 0;
    for (let left = length - local; left > 0; left -= PAGE_BYTES - 4) {
      if (next < 2 || next > this.#pages.count) return undefined;
      const bytes = this.#pages.read(next);
      parts.push(bytes.subarray(4, 4 + Math.min(left, PAGE_BYTES - 4)));
      next = bytes.readUInt32BE(0);
    }
    const record = Buffer.concat(parts);
    const types = typesOf(record, { at: 0, length });
    return types && valuesOf(record, types);
  }
}

function localOf(length: number): number {
  if (length <= MAX_LOCAL) return length;
  const local = MIN_LOCAL + ((length - MIN_LOCAL) % (PAGE_BYTES - 4));
  return local <= MAX_LOCAL ? local : MIN_LOCAL;
}

/** The rows that a leaf names; what was deleted of it is not among them. */
function cellsOf(bytes: Buffer, page: number): Cell[] {
  const cells: Cell[] = [];
  const count = Math.min(bytes.readUInt16BE(3), (PAGE_BYTES - LEAF_HEADER_BYTES) / 2);
  for (let n = 0; n < count; n++) {
    const start = bytes.readUInt16BE(LEAF_HEADER_BYTES + 2 * n);
    const [length, afterLength] = varint(bytes, start);
    const [id, at] = varint(bytes, afterLength);
    const local = localOf(length);
    // A row with further pages has the number of the first behind it.
    if (length > 0 && at + local + (local < length ? 4 : 0) <= PAGE_BYTES) cells.push({ id, page, at, length });
  }
  return ascending(cells);
}

/** No checksum is over an id, but they ascend: one that does not may be another row's. */
function ascending(cells: readonly Cell[]): Cell[] {
  let last = -1;
  return cells.filter(({ id }, n) => {
    const next = cells[n + 1]?.id ?? Number.POSITIVE_INFINITY;
    // Too large where the next one would fit, too small where this one does.
    if (id <= last || (next <= id && next > last)) return false;
    last = id;
    return true;
  });
}

/** What the head of a record says of its columns; undefined when that cannot be. */
function typesOf(bytes: Buffer, { at, length }: Pick<Cell, 'at' | 'length'>): number[] | undefined {
  const types: number[] = [];
  const [head, first] = varint(bytes, at);
  let size = head;
  for (let place = first; place < at + head; ) {
    const [type, next] = varint(bytes, place);
    if (types.push(type) > ENTRY_COLUMNS) return undefined;
    size += sizeOf(type);
    place = next;
  }
  return size === length ? types : undefined;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0];
const sizeOf = (type: number): number => (type < 12 ? INTEGER_BYTES[type]! : Math.floor((type - 12) / 2));

function valuesOf(record: Buffer, types: readonly number[]): Value[] {
  let [at] = varint(record, 0);
  return types.map(type => {
    const bytes = record.subarray(at, at + sizeOf(type));
    at += bytes.length;
    if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString();
    if (type === 0) return null;
    if (type === 7) return bytes.readDoubleBE();
    if (type === 6) return Number(bytes.readBigInt64BE());
    return bytes.length > 0 ? bytes.readIntBE(0, bytes.length) : type - 8;
  });
}

function rowOf(id: number, values: readonly Value[]): EntryRow {
  const [, payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs, deadMs, reason, message] = values;
  return { id, payload, queue, bytes, items, storedMs, attempts, firstTryMs, dueMs, deadMs, reason, message };
}

/** A number in groups of seven bits, and where it ends; beyond 2^53 it is not exact, and none of ours is as large. */
function varint(bytes: Buffer, at: number): [value: number, end: number] {
  let value = 0;
  for (let n = 0; n < 8; n++) {
    const byte = bytes[at + n] ?? 0;
    value = value * 128 + (byte & 127);
    if (byte < 128) return [value, at + n + 1];
  }
  return [value * 256 + (bytes[at + 8] ?? 0), at + 9];
}
