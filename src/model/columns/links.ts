import { grownBytes } from './growth.ts';

export const TRACE_ID_BYTES = 16;
export const SPAN_ID_BYTES = 8;
export const LINK_BYTES = TRACE_ID_BYTES + SPAN_ID_BYTES;

/** Spans that samples belong to. Row 0 is none. */
export class Links {
  /** Rows in use, row 0 included. */
  count = 1;
  /** By row: 16 bytes of trace id, 8 of span id; zeros for none. */
  ids = new Uint8Array(4 * LINK_BYTES) as Uint8Array;

  /** A new row of zeros. */
  add(): number {
    const row = this.count++;
    this.ids = grownBytes(this.ids, this.count * LINK_BYTES);
    this.ids.fill(0, row * LINK_BYTES, this.count * LINK_BYTES);
    return row;
  }

  traceId(row: number): Uint8Array {
    return this.ids.subarray(row * LINK_BYTES, row * LINK_BYTES + TRACE_ID_BYTES);
  }

  spanId(row: number): Uint8Array {
    return this.ids.subarray(row * LINK_BYTES + TRACE_ID_BYTES, (row + 1) * LINK_BYTES);
  }
}
