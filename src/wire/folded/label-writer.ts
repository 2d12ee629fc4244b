import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { BRACE, CLOSING_BRACE, COMMA, EQUALS, QUOTE, SPACE } from './ascii.ts';
import { pictureOf } from './frame-names.ts';
import { LABEL_NAME } from './label-reader.ts';
import type { TextWriter } from './text-writer.ts';

const ESCAPED = /[\\"\n]/g;
const UNSAYABLE = /[\x00-\x08\x0b-\x1f\x7f]/g;
const REPLACEMENT = '\ufffd';

/** A text between quotes, and whether it is what the label says. */
interface Value {
  readonly bytes: Uint8Array;
  readonly faithful: boolean;
}

/** Labels as `LabelReader` reads them. Texts are made once for each row of strings. */
export class LabelWriter {
  readonly #columns: Columns;
  readonly #out: TextWriter;
  readonly #losses: Losses | undefined;
  readonly #names = new Map<number, Uint8Array | undefined>();
  readonly #values = new Map<number, Value>();

  constructor(columns: Columns, out: TextWriter, losses: Losses | undefined) {
    this.#columns = columns;
    this.#out = out;
    this.#losses = losses;
  }

  /** Writes a chain of labels, with a blank before it; nothing and false where none can be said. */
  write(first: number): boolean {
    const { labels } = this.#columns;
    const out = this.#out;
    let any = false;
    for (let label = first; label !== 0; label = labels.next[label]!) {
      const name = this.#name(labels.key[label]!);
      if (!name) {
        this.#losses?.add('folded_labels');
        continue;
      }
      if (any) out.byte(COMMA);
      else {
        out.byte(SPACE);
        out.byte(BRACE);
      }
      any = true;
      out.range(name, 0, name.length);
      out.byte(EQUALS);
      out.byte(QUOTE);
      this.#value(label);
      out.byte(QUOTE);
    }
    if (any) out.byte(CLOSING_BRACE);
    return any;
  }

  #value(label: number): void {
    const { labels } = this.#columns;
    if (labels.isNumber(label)) {
      this.#out.text(String(labels.number.at(label)));
      this.#losses?.add('folded_label_value');
      return;
    }
    const { bytes, faithful } = this.#text(labels.text[label]!);
    this.#out.range(bytes, 0, bytes.length);
    const saysMore = labels.unit[label] !== 0 || labels.number.at(label) !== 0n || (labels.raw?.[label] ?? 0) !== 0;
    if (!faithful || saysMore) this.#losses?.add('folded_label_value');
  }

  #name(row: number): Uint8Array | undefined {
    if (!this.#names.has(row)) {
      const { strings } = this.#columns;
      const name = strings.text(row);
      this.#names.set(row, LABEL_NAME.test(name) ? strings.bytes(row) : undefined);
    }
    return this.#names.get(row);
  }

  #text(row: number): Value {
    const known = this.#values.get(row);
    if (known) return known;
    const text = this.#columns.strings.text(row);
    const sayable = text.replace(UNSAYABLE, pictureOf);
    const bytes = Buffer.from(sayable.replace(ESCAPED, one => (one === '\n' ? '\\n' : `\\${one}`)));
    const wasText = !text.includes(REPLACEMENT) || Buffer.from(text).equals(this.#columns.strings.bytes(row));
    const value = { bytes, faithful: sayable === text && wasText };
    this.#values.set(row, value);
    return value;
  }
}
