// A text that configuration comes from, and how an offset in it becomes the line and column that a person sees.

/** One `--config` file, or one `--set` argument. */
export class Source {
  /** As findings show it: the path as given, or `--set`. */
  readonly name: string;
  /** What relative paths in `${file:path}` start from. */
  readonly directory: string;
  readonly text: string;
  #starts: number[] | undefined;

  constructor(name: string, directory: string, text: string) {
    this.name = name;
    this.directory = directory;
    this.text = text;
  }

  /** 1-based. Columns count UTF-16 units, as editors do. */
  position(offset: number): { line: number; column: number } {
    const starts = this.#lineStarts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  }

  /** The text of a line without its end; '' past the last one. */
  line(number: number): string {
    const starts = this.#lineStarts();
    const start = starts[number - 1];
    return start === undefined ? '' : this.text.slice(start, starts[number] ?? this.text.length).replace(/\r?\n$/, '');
  }

  #lineStarts(): number[] {
    if (this.#starts) return this.#starts;
    const starts = [0];
    for (let at = this.text.indexOf('\n'); at >= 0; at = this.text.indexOf('\n', at + 1)) starts.push(at + 1);
    this.#starts = starts;
    return starts;
  }
}

/** A point in a source; `offset` in UTF-16 units. */
export interface Place {
  readonly source: Source;
  readonly offset: number;
}
