import { Rows, takeRoom } from '../../model/columns/growth.ts';
import { bad, type Input } from './input.ts';

/** What a type, and the text of an attribute, take on the heap, bytes, roughly. */
const TYPE_BYTES = 200;
const TEXT_BYTES = 50;

/** One type, as a chunk describes it. */
export interface JfrType {
  readonly id: number;
  readonly name: string;
  /** Where its children (fields, settings, annotations) begin, and how many there are. */
  readonly at: number;
  readonly children: number;
  /** Events of the type. */
  count: number;
}

export interface JfrField {
  readonly name: string;
  /** Id of its type. */
  readonly type: number;
  /** Whether it holds a key of the type's constant pool instead of a value. */
  readonly isReference: boolean;
  readonly isArray: boolean;
}

/**
 * The types of one chunk (JDK: jdk.jfr.internal.MetadataReader): a table of strings, and a tree of elements root → metadata → class → field. A
 * recording has hundreds of types of which a few are of interest, so that fields are read when somebody asks, and texts too.
 */
export class Metadata {
  readonly types = new Map<number, JfrType>();
  readonly #input: Input;
  readonly #end: number;
  /** Where each string begins. */
  readonly #strings = new Rows();
  readonly #texts = new Map<number, string>();
  /** Name and children of the element that was read last. */
  #name = '';
  #children = 0;

  /** @throws DecodeError bad_jfr */
  constructor(input: Input, start: number, end: number) {
    this.#input = input;
    const event = eventAt(input, start, end);
    if (event.type !== 0) throw bad('the metadata event is of another type');
    this.#end = event.end;
    let at = input.skipNumbers(event.at, this.#end, 3, 8);
    at = input.count(at, this.#end);
    for (let left = input.lo; left > 0; left--) {
      this.#strings.push(at);
      at = input.skipString(at, this.#end);
    }
    this.#root(at);
  }

  /** Gives each field of a type, in order. @throws DecodeError bad_jfr */
  fields(type: JfrType, use: (field: JfrField) => void): void {
    let { at } = type;
    for (let left = type.children; left > 0; left--) {
      let name = '';
      let id = -1;
      let isReference = false;
      let dimension = '0';
      at = this.#element(at, (key, value) => {
        if (key === 'name') name = this.#text(value);
        else if (key === 'class') id = idOf(this.#text(value));
        else if (key === 'constantPool') isReference = this.#text(value) === 'true';
        else if (key === 'dimension') dimension = this.#text(value);
      });
      const isField = this.#isNamed('field');
      at = this.#skip(at, this.#children);
      if (!isField) continue;
      if (dimension !== '0' && dimension !== '1') throw bad('a field has a dimension that does not exist');
      use({ name, type: id, isReference, isArray: dimension === '1' });
    }
  }

  #root(start: number): void {
    let at = this.#element(start);
    if (!this.#isNamed('root')) throw bad('the tree of metadata has no root');
    for (let left = this.#children; left > 0; left--) {
      at = this.#element(at);
      const children = this.#children;
      if (!this.#isNamed('metadata')) at = this.#skip(at, children);
      else for (let type = 0; type < children; type++) at = this.#type(at);
    }
  }

  /** Whether the element that was read last is of this name. */
  #isNamed(name: string): boolean {
    return this.#name === name;
  }

  #type(start: number): number {
    let id = -1;
    let name = '';
    const at = this.#element(start, (key, value) => {
      if (key === 'id') id = idOf(this.#text(value));
      else if (key === 'name') name = this.#text(value);
    });
    const children = this.#children;
    if (this.#isNamed('class') && id >= 0) {
      takeRoom(TYPE_BYTES);
      this.types.set(id, { id, name, at, children, count: 0 });
    }
    return this.#skip(at, children);
  }

  /** Reads the head of an element. @returns where its first child begins */
  #element(start: number, attribute?: (key: string, value: number) => void): number {
    const input = this.#input;
    const end = this.#end;
    let at = input.count(start, end);
    const name = input.lo;
    at = input.count(at, end);
    const attributes = input.lo;
    if (!attribute) at = input.skipNumbers(at, end, 2 * attributes, 4);
    else
      for (let left = attributes; left > 0; left--) {
        at = input.count(at, end);
        const key = input.lo;
        at = input.count(at, end);
        attribute(this.#text(key), input.lo);
      }
    at = input.count(at, end);
    this.#children = input.lo;
    this.#name = this.#text(name);
    return at;
  }

  /** Passes over so many elements with all that is in them; however deep, without recursion. */
  #skip(start: number, count: number): number {
    const input = this.#input;
    const end = this.#end;
    let at = start;
    for (let left = count; left > 0; left--) {
      at = input.skipNumbers(at, end, 1, 4);
      at = input.count(at, end);
      at = input.skipNumbers(at, end, 2 * input.lo, 4);
      at = input.count(at, end);
      left += input.lo;
    }
    return at;
  }

  #text(string: number): string {
    let text = this.#texts.get(string);
    if (text === undefined) {
      if (string >= this.#strings.length) throw bad('metadata names a string that it does not have');
      const { lo, hi } = this.#input;
      text = this.#input.text(this.#strings.items[string]!, this.#end) ?? '';
      this.#input.lo = lo;
      this.#input.hi = hi;
      takeRoom(TEXT_BYTES + text.length);
      this.#texts.set(string, text);
    }
    return text;
  }
}

/** Ids are small; -1 for what is none of ours. */
function idOf(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : -1;
}

/** The head of an event: where its fields begin, and where it ends. @throws DecodeError bad_jfr */
export function eventAt(input: Input, start: number, end: number): { at: number; end: number; type: number } {
  let at = input.count(start, end);
  const size = input.lo;
  if (size < at - start || size > end - start) throw bad('an event has no size, or one beyond its chunk');
  at = input.number(at, start + size, 8);
  return { at, end: start + size, type: input.unsigned };
}
