import { takeRoom } from '../../model/columns/growth.ts';
import { mergedName } from './generated-names.ts';

/** What a text takes beside its characters, bytes, roughly. */
const TEXT_BYTES = 80;

/** Texts of a whole recording, each once. Row 0 is ''. */
export class Texts {
  readonly #rows = new Map<string, number>([['', 0]]);
  readonly #texts = [''];
  /** By row of a class name: what it is called in stacks. */
  readonly #merged: string[] = [''];

  row(text: string): number {
    let row = this.#rows.get(text);
    if (row === undefined) {
      takeRoom(TEXT_BYTES + 2 * text.length);
      row = this.#texts.push(text) - 1;
      this.#rows.set(text, row);
    }
    return row;
  }

  text(row: number): string {
    return this.#texts[row]!;
  }

  className(row: number): string {
    let name = this.#merged[row];
    if (name === undefined) {
      while (this.#merged.length <= row) this.#merged.push(mergedName(this.#texts[this.#merged.length]!));
      name = this.#merged[row]!;
    }
    return name;
  }
}
