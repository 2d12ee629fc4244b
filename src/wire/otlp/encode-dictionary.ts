import { LINK_BYTES, SPAN_ID_BYTES, TRACE_ID_BYTES } from '../../model/columns/links.ts';
import { BackWriter, putBytes, putField, putHead } from '../pprof/back-writer.ts';
import { Table } from './encode-table.ts';
import { DICTIONARY, REQUEST } from './fields.ts';

const NOTHING = new Uint8Array(0);

/** A dictionary that is being written: every row once, and row 0 of each table what stands for none. */
export class Dictionary {
  readonly strings = new Table(NOTHING);
  readonly attributes = new Table(NOTHING);
  readonly mappings = new Table(NOTHING);
  readonly functions = new Table(NOTHING);
  readonly locations = new Table(NOTHING);
  readonly links = new Table(linkMessage(new Uint8Array(LINK_BYTES)));
  readonly stacks = new Table(NOTHING);
  /** For one message at a time. */
  readonly scratch = new BackWriter();
  #keys = new Uint32Array(64);
  #round = 0;

  constructor() {
    this.scratch.clear(1024);
  }

  string(text: string): number {
    const bytes = Buffer.from(text);
    return this.strings.intern(bytes, 0, bytes.length);
  }

  /** The row of an attribute: rows of strings, and an AnyValue. */
  attribute(key: number, value: Uint8Array, unit: number): number {
    const { scratch } = this;
    scratch.clear(0);
    scratch.room(value.length + 32);
    const { bytes } = scratch;
    let at = putField(bytes, bytes.length, 0x18, unit);
    at = putBytes(bytes, at, value, 0, value.length);
    at = putHead(bytes, at, 0x12, at + value.length);
    at = putField(bytes, at, 0x08, key);
    return this.attributes.intern(bytes, at, bytes.length);
  }

  /** @param ids 16 bytes of trace id, 8 of span id */
  link(ids: Uint8Array): number {
    const message = linkMessage(ids);
    return this.links.intern(message, 0, message.length);
  }

  /** For telling keys that come twice: starts over. */
  beginKeys(): void {
    this.#round++;
  }

  /** Whether this row of strings was named since `beginKeys`; and names it. */
  seenKey(row: number): boolean {
    if (row >= this.#keys.length) {
      const longer = new Uint32Array(Math.max(row + 1, this.#keys.length * 2));
      longer.set(this.#keys);
      this.#keys = longer;
    }
    if (this.#keys[row] === this.#round) return true;
    this.#keys[row] = this.#round;
    return false;
  }

  /** Bytes that `write` will need, about. */
  get size(): number {
    let size = 16;
    for (const [, table] of this.#tables()) size += table.start(table.count) + 6 * table.count;
    return size;
  }

  /** The dictionary field of a request, in front of what was written. */
  write(writer: BackWriter): void {
    const before = writer.written;
    for (const [field, table] of this.#tables()) {
      for (let row = table.count - 1; row >= 0; row--) {
        const start = table.start(row);
        const end = table.ends.items[row]!;
        writer.room(end - start + 12);
        const behind = writer.at;
        const at = putBytes(writer.bytes, behind, table.bytes, start, end);
        writer.at = putHead(writer.bytes, at, field * 8 + 2, behind);
      }
    }
    writer.head(REQUEST.dictionary * 8 + 2, before);
  }

  /** Last field first. */
  #tables(): [number, Table][] {
    return [
      [DICTIONARY.stackTable, this.stacks],
      [DICTIONARY.attributeTable, this.attributes],
      [DICTIONARY.stringTable, this.strings],
      [DICTIONARY.linkTable, this.links],
      [DICTIONARY.functionTable, this.functions],
      [DICTIONARY.locationTable, this.locations],
      [DICTIONARY.mappingTable, this.mappings],
    ];
  }
}

function linkMessage(ids: Uint8Array): Uint8Array {
  const message = new Uint8Array(LINK_BYTES + 4);
  message.set([0x0a, TRACE_ID_BYTES]);
  message.set(ids.subarray(0, TRACE_ID_BYTES), 2);
  message.set([0x12, SPAN_ID_BYTES], 2 + TRACE_ID_BYTES);
  message.set(ids.subarray(TRACE_ID_BYTES), 4 + TRACE_ID_BYTES);
  return message;
}
