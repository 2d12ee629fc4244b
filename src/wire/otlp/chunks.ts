import { fieldHead } from '../protobuf.ts';

/** Views on a request and new bytes between them; neighbouring views become one. */
export class Chunks {
  readonly #source: Uint8Array;
  readonly #chunks: (Uint8Array | { start: number; end: number })[] = [];
  length = 0;

  constructor(source: Uint8Array) {
    this.#source = source;
  }

  view(start: number, end: number): void {
    if (start === end) return;
    const last = this.#chunks.at(-1);
    if (last && !(last instanceof Uint8Array) && last.end === start) last.end = end;
    else this.#chunks.push({ start, end });
    this.length += end - start;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.length += bytes.length;
  }

  append(other: Chunks): void {
    for (const chunk of other.#chunks) {
      if (chunk instanceof Uint8Array) this.add(chunk);
      else this.view(chunk.start, chunk.end);
    }
  }

  message(field: number, content: Chunks): void {
    this.add(fieldHead(field, content.length));
    this.append(content);
  }

  /** Whether this is the stretch of the source from `start` to `end`, and nothing else. */
  isView(start: number, end: number): boolean {
    const [only] = this.#chunks;
    if (start === end) return this.length === 0;
    return this.#chunks.length === 1 && !(only instanceof Uint8Array) && only!.start === start && only!.end === end;
  }

  list(): Uint8Array[] {
    return this.#chunks.map(chunk =>
      chunk instanceof Uint8Array ? chunk : this.#source.subarray(chunk.start, chunk.end),
    );
  }
}
