import { isUtf8 } from 'node:buffer';
import type { Columns } from '../../model/columns/columns.ts';
import { isControl, SEMICOLON } from './ascii.ts';
import type { TextWriter } from './text-writer.ts';

/** 0 is what was not looked at yet. */
const SAYABLE = 1;
const ALTERED = 2;
/** Where the pictures of the control characters begin: visible, and each says which it was. */
const PICTURES = 0x2400;
const PICTURE_OF_DELETE = 0x2421;
const UNSAYABLE = /[\x00-\x08\x0a-\x1f\x7f;]/g;

/** Control characters as their pictures, such as U+2400 for NUL. */
export const pictureOf = (one: string): string =>
  String.fromCharCode(one === '\x7f' ? PICTURE_OF_DELETE : PICTURES + one.charCodeAt(0));

/**
 * Names of frames as folded text has them: `;` becomes `|`, as async-profiler writes signatures; control characters become their pictures, and
 * what is not UTF-8 becomes U+FFFD. Each text is looked at once, and those that stay are written from where they lie.
 */
export class FrameNames {
  readonly #columns: Columns;
  readonly #out: TextWriter;
  /** By row of strings. */
  readonly #states: Uint8Array;
  readonly #altered = new Map<number, Uint8Array>();

  constructor(columns: Columns, out: TextWriter) {
    this.#columns = columns;
    this.#out = out;
    this.#states = new Uint8Array(columns.strings.count);
  }

  /** Writes the frames of a location, caller first, with `;` between them; false where a name could not be said as it is. */
  location(location: number): boolean {
    const { locations } = this.#columns;
    const { lines } = locations;
    const from = locations.lineStart[location]!;
    const to = locations.lineEnd[location]!;
    if (from === to) this.#address(location);
    let faithful = true;
    for (let line = to - 1; line >= from; line--) {
      if (line < to - 1) this.#out.byte(SEMICOLON);
      const fn = lines.function[line]!;
      if (fn === 0) this.#address(location);
      else faithful = this.#function(fn) && faithful;
    }
    return faithful;
  }

  #address(location: number): void {
    const { halves } = this.#columns.locations.address;
    this.#out.address(halves[2 * location]!, halves[2 * location + 1]!);
  }

  #function(fn: number): boolean {
    const { strings, functions } = this.#columns;
    const own = functions.name[fn]!;
    // A function may have only the name that the linker knows.
    const name = strings.byteLength(own) === 0 ? functions.systemName[fn]! : own;
    const state = this.#states[name] || this.#examine(name);
    if (state === ALTERED) {
      const bytes = this.#altered.get(name)!;
      this.#out.range(bytes, 0, bytes.length);
      return false;
    }
    this.#out.range(strings.memory(name), strings.offset(name), strings.byteLength(name));
    return true;
  }

  #examine(name: number): number {
    const { strings } = this.#columns;
    const bytes = strings.bytes(name);
    let state = isUtf8(bytes) ? SAYABLE : ALTERED;
    for (let at = 0; at < bytes.length && state === SAYABLE; at++)
      if (bytes[at] === SEMICOLON || isControl(bytes[at]!)) state = ALTERED;
    if (state === ALTERED) {
      const text = strings.text(name).replace(UNSAYABLE, one => (one === ';' ? '|' : pictureOf(one)));
      this.#altered.set(name, Buffer.from(text));
    }
    this.#states[name] = state;
    return state;
  }
}
