import { type Chunk, HEADER_BYTES } from './chunk.ts';
import { IdTable } from './id-table.ts';
import { bad, type Input } from './input.ts';
import { type Layout, Layouts } from './layout.ts';
import { eventAt, type JfrType } from './metadata.ts';
import type { Texts } from './texts.ts';

/** Strings that name strings of the pool that name strings. Real ones are never more than one. */
const MAX_HOPS = 4;
const SYMBOL_FIELDS = ['string', 'name'];

/**
 * The constants of one chunk: stacks, methods, names and what else events refer to by key. They lie in checkpoint events, a chain from the
 * newest one back, before or behind the events that need them. Walked over once; read when somebody asks.
 */
export class Pools {
  readonly layouts: Layouts;
  readonly #input: Input;
  readonly #chunk: Chunk;
  /** By type and key: where the constant begins. */
  readonly #pools = new Map<number, IdTable>();
  readonly #skips = new Map<number, Layout>();
  readonly #symbols = new Map<number, { readonly layout: Layout; readonly texts: IdTable }>();
  readonly #texts: Texts;
  #strings = -1;
  readonly #lo = new Uint32Array(SYMBOL_FIELDS.length);
  readonly #hi = new Uint32Array(SYMBOL_FIELDS.length);

  /** @throws DecodeError bad_jfr, too_many_elements */
  constructor(input: Input, chunk: Chunk, texts: Texts) {
    this.#input = input;
    this.#chunk = chunk;
    this.#texts = texts;
    this.layouts = new Layouts(chunk.metadata, input);
    let left = chunk.end - chunk.start;
    for (let at = chunk.checkpoint; at !== 0; ) {
      const event = eventAt(input, at, chunk.end);
      if (event.type !== 1) throw bad('a checkpoint is an event of another type');
      // Checkpoints do not overlap, so that a chain that takes more than the chunk goes in circles.
      left -= event.end - at;
      if (left < 0) throw bad('the chain of checkpoints has no end');
      const delta = this.#checkpoint(event.at, event.end);
      if (delta === 0) break;
      at += delta;
      if (at < chunk.start + HEADER_BYTES || at >= chunk.end) throw bad('a checkpoint lies outside its chunk');
    }
  }

  get types(): ReadonlyMap<number, JfrType> {
    return this.#chunk.metadata.types;
  }

  /** Where the constant begins that has this key; -1 where there is none. */
  find(type: number, lo: number, hi: number): number {
    return this.#pools.get(type)?.get(lo, hi) ?? -1;
  }

  /** The text that a constant of this type holds: itself, or its field `string` or `name`; row 0, which is '', where there is none. */
  symbol(type: number, lo: number, hi: number): number {
    return this.#symbol(type, lo, hi, 0);
  }

  /** The text of a string that begins here. */
  string(at: number): number {
    return this.#string(at, 0);
  }

  /** Many constants may name one long text, so that each is read once. */
  #symbol(type: number, lo: number, hi: number, hops: number): number {
    const at = this.find(type, lo, hi);
    const described = this.types.get(type);
    if (at < 0 || !described || hops > MAX_HOPS) return 0;
    let known = this.#symbols.get(type);
    if (!known) {
      known = { layout: this.layouts.layout(described, SYMBOL_FIELDS), texts: new IdTable() };
      this.#symbols.set(type, known);
    }
    let text = known.texts.get(lo, hi);
    if (text < 0) {
      text = described.name === 'java.lang.String' ? this.#string(at, hops) : this.#field(known.layout, at, hops);
      known.texts.set(lo, hi, text);
    }
    return text;
  }

  #field(layout: Layout, at: number, hops: number): number {
    const los = this.#lo;
    const his = this.#hi;
    this.layouts.read(layout, at, this.#chunk.end, los, his);
    const slot = layout.types[0]! >= 0 ? 0 : 1;
    const type = layout.types[slot]!;
    if (type < 0) return 0;
    if (layout.kind(slot) === 'string') return this.#string(los[slot]!, hops);
    return this.#symbol(type, los[slot]!, his[slot]!, hops + 1);
  }

  #string(at: number, hops: number): number {
    const input = this.#input;
    const text = input.text(at, this.#chunk.end);
    if (text !== undefined) return this.#texts.row(text);
    if (this.#strings < 0)
      for (const { id, name } of this.types.values()) if (name === 'java.lang.String') this.#strings = id;
    return this.#symbol(this.#strings, input.lo, input.hi, hops + 1);
  }

  /** @returns how far the next one is away, 0 for none */
  #checkpoint(start: number, end: number): number {
    const input = this.#input;
    let at = input.skipNumbers(start, end, 2, 8);
    at = input.number(at, end, 8);
    const delta = (input.hi | 0) * 4294967296 + input.lo;
    at = input.fixed(at, end, 1);
    at = input.count(at, end);
    for (let left = input.lo; left > 0; left--) {
      at = input.number(at, end, 8);
      const id = input.unsigned;
      at = input.count(at, end);
      if (input.lo > 0) at = this.#pool(id, at, end, input.lo);
    }
    return delta;
  }

  #pool(id: number, start: number, end: number, count: number): number {
    const input = this.#input;
    const type = this.types.get(id);
    if (!type) throw bad('a constant is of a type that is not described');
    let table = this.#pools.get(id);
    if (!table) {
      table = new IdTable();
      this.#pools.set(id, table);
      this.#skips.set(id, this.layouts.layout(type));
    }
    const { code } = this.#skips.get(id)!;
    let at = start;
    for (let left = count; left > 0; left--) {
      at = input.number(at, end, 8);
      table.set(input.lo, input.hi, at);
      at = this.layouts.skip(code, at, end);
    }
    return at;
  }
}
