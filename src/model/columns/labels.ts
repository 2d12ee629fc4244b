import { grown } from './growth.ts';
import { Int64s } from './int64.ts';

/**
 * Labels of samples. Those of one sample are a chain in their order, from `first` of the sample over `next`, so that each sample
 * can gain and lose labels in place. Row 0 is no label: the end of every chain. `key`, `text` and `unit` are rows of strings.
 * A label is a string where `text` or else `number` is 0.
 */
export class Labels {
  /** Rows in use, row 0 and those that no chain holds any more included. */
  count = 1;
  key = new Uint32Array(8) as Uint32Array;
  text = new Uint32Array(8) as Uint32Array;
  unit = new Uint32Array(8) as Uint32Array;
  next = new Uint32Array(8) as Uint32Array;
  readonly number = new Int64s();
  /**
   * For values that are neither text nor number: 1 + index of the encoded value in `encoded`, and the label is its JSON text. 0 for
   * others. Profiles without such values have no such column.
   */
  raw: Uint32Array | undefined;
  /** OTLP AnyValue messages without references. */
  encoded: Uint8Array[] = [];

  clear(): void {
    this.count = 1;
    this.raw = undefined;
    if (this.encoded.length > 0) this.encoded = [];
  }

  ensure(count: number): void {
    if (count <= this.key.length) return;
    this.key = grown(this.key, count);
    this.text = grown(this.text, count);
    this.unit = grown(this.unit, count);
    this.next = grown(this.next, count);
    this.number.ensure(count);
    if (this.raw) this.raw = grown(this.raw, this.key.length);
  }

  /** A new string label that no chain holds yet. */
  add(key: number, text: number): number {
    const row = this.count++;
    this.ensure(this.count);
    this.key[row] = key;
    this.next[row] = 0;
    this.setText(row, text);
    return row;
  }

  /** Makes it a string label. */
  setText(row: number, text: number): void {
    this.text[row] = text;
    this.unit[row] = 0;
    this.number.halves[2 * row] = 0;
    this.number.halves[2 * row + 1] = 0;
    if (this.raw) this.raw[row] = 0;
  }

  /** Says that the text of a label stands for this value. */
  setRaw(row: number, encoded: Uint8Array): void {
    this.raw ??= grown(new Uint32Array(0), this.key.length);
    this.raw[row] = this.encoded.push(encoded);
  }

  /** A copy of label `from` that no chain holds yet. */
  addCopy(from: number): number {
    const row = this.count++;
    this.ensure(this.count);
    this.key[row] = this.key[from]!;
    this.text[row] = this.text[from]!;
    this.unit[row] = this.unit[from]!;
    this.next[row] = 0;
    this.number.copy(from, row);
    if (this.raw) this.raw[row] = this.raw[from]!;
    return row;
  }

  /** Whether it is exactly this string label already. */
  isText(row: number, text: number): boolean {
    const { halves } = this.number;
    if (this.raw && this.raw[row] !== 0) return false;
    return this.text[row] === text && this.unit[row] === 0 && halves[2 * row] === 0 && halves[2 * row + 1] === 0;
  }

  /** Whether its value is a number (with `unit`). pprof cannot tell the number 0 from the text ''. */
  isNumber(row: number): boolean {
    return this.text[row] === 0;
  }
}
