import { takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { bad, type Input } from './input.ts';
import type { JfrField, JfrType, Metadata } from './metadata.ts';

const NUMBER = 0;
const FIXED = 1;
const STRING = 2;
const ARRAY = 3;
/** Op, its argument, and where to put what it read; for nowhere -1, of numbers -n for n of them. */
const STRIDE = 3;
/** Ops of one type, with those of types within. Real ones have up to 60. */
const MAX_OPS = 1000;
/** Numbers side by side. */
const MAX_NUMBERS = 1_000_000;
/** What a layout takes beside its code, bytes, roughly. */
const LAYOUT_BYTES = 300;
/** Types within types. Real ones have 3. */
const MAX_DEPTH = 16;

const NUMBER_BYTES: ReadonlyMap<string, number> = new Map([
  ['char', 2],
  ['short', 2],
  ['int', 4],
  ['long', 8],
]);
const FIXED_BYTES: ReadonlyMap<string, number> = new Map([
  ['boolean', 1],
  ['byte', 1],
  ['float', 4],
  ['double', 8],
]);
const KEY_BYTES = 8;

/** How values of a type lie in the bytes, as code to walk over them. */
export class Layout {
  readonly code: Int32Array;
  /** By slot: the type of a wanted field, -1 where the type has no such field, or it is an array of references. */
  readonly types: Int32Array;

  constructor(code: Int32Array, types: Int32Array) {
    this.code = code;
    this.types = types;
  }

  /** What a slot gets: a number, or where a string or an array begins. */
  kind(slot: number): 'number' | 'string' | 'array' {
    const { code } = this;
    for (let pc = 0; pc < code.length; pc += STRIDE)
      if (code[pc + 2] === slot) return code[pc] === STRING ? 'string' : code[pc] === ARRAY ? 'array' : 'number';
    return 'number';
  }
}

/** Compiles the types of one chunk. */
export class Layouts {
  readonly #metadata: Metadata;
  readonly #input: Input;
  /** What elements of arrays are. */
  readonly #elements: Int32Array[] = [];
  /** Of types within others; undefined while it is being made. */
  readonly #inner = new Map<number, Int32Array | undefined>();

  constructor(metadata: Metadata, input: Input) {
    this.#metadata = metadata;
    this.#input = input;
  }

  /**
   * @param wanted fields to read, each into the slot of its place; others are passed over
   * @throws DecodeError bad_jfr: a type is missing or contains itself. too_many_elements
   */
  layout(type: JfrType, wanted: readonly string[] = []): Layout {
    const types = new Int32Array(wanted.length).fill(-1);
    const code = this.#compiled(type, 0, field => {
      const slot = wanted.indexOf(field.name);
      if (slot >= 0 && !(field.isArray && field.isReference)) types[slot] = field.type;
      return slot;
    });
    return new Layout(code, types);
  }

  /**
   * Walks over one value: numbers of wanted fields go into `lo` and `hi` of their slot, of strings and arrays where they begin into `lo`.
   * @returns where it ends
   */
  read({ code }: Layout, start: number, end: number, lo: Uint32Array, hi: Uint32Array): number {
    const input = this.#input;
    const { bytes } = input;
    let at = start;
    for (let pc = 0; pc < code.length; pc += STRIDE) {
      const slot = code[pc + 2]!;
      const op = code[pc]!;
      if (slot < 0) {
        at = op === NUMBER ? input.skipNumbers(at, end, -slot, code[pc + 1]!) : this.#skipOp(code, pc, at, end);
        continue;
      }
      // Most numbers take one byte.
      if (op === NUMBER && input.compressed && at < end && bytes[at]! < 0x80) {
        lo[slot] = bytes[at++]!;
        hi[slot] = 0;
        continue;
      }
      if (op === NUMBER || op === FIXED) {
        const width = code[pc + 1]!;
        at = op === NUMBER ? input.number(at, end, width) : input.fixed(at, end, width);
        lo[slot] = input.lo;
        hi[slot] = input.hi;
      } else {
        lo[slot] = at;
        at = this.#skipOp(code, pc, at, end);
      }
    }
    return at;
  }

  /** @returns where the value ends */
  skip(code: Int32Array, start: number, end: number): number {
    let at = start;
    for (let pc = 0; pc < code.length; pc += STRIDE) at = this.#skipOp(code, pc, at, end);
    return at;
  }

  #skipOp(code: Int32Array, pc: number, at: number, end: number): number {
    const input = this.#input;
    const argument = code[pc + 1]!;
    switch (code[pc]) {
      case NUMBER:
        return input.skipNumbers(at, end, -code[pc + 2]!, argument);
      case FIXED:
        return input.skipBytes(at, end, argument);
      case STRING:
        return input.skipString(at, end);
      default:
        return this.#skipArray(this.#elements[argument]!, at, end);
    }
  }

  /** Each element that takes no byte is passed over for nothing, so that the work is linear in the bytes. */
  #skipArray(element: Int32Array, start: number, end: number): number {
    const input = this.#input;
    let at = input.count(start, end);
    const count = input.lo;
    if (element.length === 0) return at;
    if (element[0] === NUMBER && element.length === STRIDE)
      return input.skipNumbers(at, end, -element[2]! * count, element[1]!);
    for (let left = count; left > 0; left--) at = this.skip(element, at, end);
    return at;
  }

  #compiled(type: JfrType, depth: number, slotOf: (field: JfrField) => number): Int32Array {
    const own = this.#ownCode(type.name);
    if (own) return own;
    if (depth > MAX_DEPTH) throw bad('types are nested too deep');
    const code: number[] = [];
    this.#metadata.fields(type, field => {
      if (code.length > MAX_OPS * STRIDE)
        throw new DecodeError('too_many_elements', `a type has over ${MAX_OPS} fields`);
      const slot = slotOf(field);
      const element = field.isReference ? Int32Array.of(NUMBER, KEY_BYTES, -1) : this.#within(field.type, depth + 1);
      if (field.isArray) {
        code.push(ARRAY, this.#elements.push(element) - 1, slot);
        return;
      }
      const isOne = slot >= 0 && element.length === STRIDE && element[2] === -1;
      for (let at = 0; at < element.length; at += STRIDE)
        code.push(element[at]!, element[at + 1]!, isOne ? slot : element[at + 2]!);
    });
    takeRoom(LAYOUT_BYTES + 4 * code.length);
    return joined(code);
  }

  /** Of types that JFR itself has. Compressed numbers have no width. */
  #ownCode(name: string): Int32Array | undefined {
    if (name === 'java.lang.String') return Int32Array.of(STRING, 0, -1);
    const width = NUMBER_BYTES.get(name);
    if (width !== undefined) return Int32Array.of(NUMBER, this.#input.compressed ? KEY_BYTES : width, -1);
    const bytes = FIXED_BYTES.get(name);
    return bytes === undefined ? undefined : Int32Array.of(FIXED, bytes, -1);
  }

  #within(id: number, depth: number): Int32Array {
    const known = this.#inner.get(id);
    if (known) return known;
    if (this.#inner.has(id)) throw bad('a type contains itself');
    const type = this.#metadata.types.get(id);
    if (!type) throw bad('a field is of a type that is not described');
    this.#inner.set(id, undefined);
    const code = this.#compiled(type, depth, () => -1);
    this.#inner.set(id, code);
    return code;
  }
}

/** The code with numbers side by side that nobody wants as one op. */
function joined(code: readonly number[]): Int32Array {
  const out: number[] = [];
  for (let pc = 0; pc < code.length; pc += STRIDE) {
    const [op, argument, slot] = [code[pc]!, code[pc + 1]!, code[pc + 2]!];
    const last = out.length - STRIDE;
    const isMore =
      op === NUMBER && slot < 0 && out[last] === NUMBER && out[last + 2]! < 0 && out[last + 1] === argument;
    if (isMore && out[last + 2]! + slot < -MAX_NUMBERS)
      throw new DecodeError('too_many_elements', `a type has over ${MAX_NUMBERS} numbers`);
    if (isMore) out[last + 2]! += slot;
    else out.push(op, argument, slot);
  }
  return Int32Array.from(out);
}
