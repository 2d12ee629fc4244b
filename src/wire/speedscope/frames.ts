import type { ColumnsBuilder } from '../../model/columns/builder.ts';
import { Rows, takeRoom } from '../../model/columns/growth.ts';
import { Int64s } from '../../model/columns/int64.ts';
import { Strings } from '../../model/columns/strings.ts';
import { DecodeError } from '../decode-error.ts';
import type { JsonCursor } from '../json-cursor.ts';
import { wholeNumber } from '../json-number.ts';
import { MAX_IDS } from '../pprof/limits.ts';

/** `shared.frames` of a file. A profile gets a location for each frame that it names, and nothing of the others. */
export class Frames {
  readonly #strings = new Strings();
  /** Rows of strings. */
  readonly #name = new Rows();
  readonly #file = new Rows();
  readonly #line = new Int64s();
  readonly #column = new Int64s();
  /** Row of the frame's location in the profile that `#profileOf` names. */
  #location = new Uint32Array(0);
  #profileOf = new Uint32Array(0);
  #profile = 0;

  constructor() {
    this.#strings.add(0, 0);
  }

  get count(): number {
    return this.#name.length;
  }

  /** Reads the array. @throws DecodeError bad_json, bad_string, bad_value, missing_field, too_many_elements */
  read(cursor: JsonCursor): void {
    cursor.list(() => this.#frame(cursor));
    takeRoom(8 * this.count);
    this.#location = new Uint32Array(this.count);
    this.#profileOf = new Uint32Array(this.count);
  }

  #frame(cursor: JsonCursor): void {
    const row = this.count;
    if (row === MAX_IDS) throw new DecodeError('too_many_elements', `more than ${MAX_IDS} frames`);
    let name = -1;
    let file = 0;
    this.#line.ensure(row + 1);
    this.#column.ensure(row + 1);
    this.#line.set(row, 0n);
    this.#column.set(row, 0n);
    cursor.object(member => {
      switch (member) {
        case 'name':
          name = this.#strings.intern(cursor.string());
          return;
        case 'file':
          file = cursor.takeNull() ? 0 : this.#strings.intern(cursor.string());
          return;
        case 'line':
          this.#line.set(row, lineNumber(cursor));
          return;
        case 'col':
          this.#column.set(row, lineNumber(cursor));
          return;
        default:
          cursor.skip();
      }
    });
    if (name < 0) throw new DecodeError('missing_field', 'a frame has no name');
    this.#name.push(name);
    this.#file.push(file);
  }

  /**
   * Makes the frame numbers in the stacks of a profile rows of its locations.
   * @throws DecodeError bad_reference where there is no such frame
   */
  place(builder: ColumnsBuilder): void {
    this.#profile++;
    const { samples } = builder.columns;
    const { stack, stackLength } = samples;
    for (let at = 0; at < stackLength; at++) {
      const frame = stack[at]!;
      if (frame >= this.count)
        throw new DecodeError('bad_reference', `a stack names a frame that is not among the ${this.count}`);
      if (this.#profileOf[frame] !== this.#profile) {
        this.#profileOf[frame] = this.#profile;
        this.#location[frame] = this.#placed(builder, frame);
      }
      stack[at] = this.#location[frame]!;
    }
  }

  #placed(builder: ColumnsBuilder, frame: number): number {
    const strings = this.#strings;
    const { locations } = builder.columns;
    const name = builder.string(strings.text(this.#name.items[frame]!));
    const file = builder.string(strings.text(this.#file.items[frame]!));
    const location = locations.add(0);
    const line = locations.lines.add(builder.function({ name, file }));
    locations.lines.line.set(line, this.#line.at(frame));
    locations.lines.column.set(line, this.#column.at(frame));
    locations.lineEnd[location] = line + 1;
    return location;
  }
}

/** The number of a frame, which may be beyond all that there are. @throws DecodeError bad_json, bad_reference */
export function frameNumber(cursor: JsonCursor): number {
  const small = cursor.smallNumber();
  if (small >= 0) return small;
  const number = wholeNumber(cursor.numberText());
  if (number === undefined || number < 0n || number > 0x7fffffffn)
    throw new DecodeError('bad_reference', 'a frame is named by what is no index');
  return Number(number);
}

/** Of a frame: null is none. */
function lineNumber(cursor: JsonCursor): bigint {
  if (cursor.takeNull()) return 0n;
  const small = cursor.smallNumber();
  if (small >= 0) return BigInt(small);
  const number = wholeNumber(cursor.numberText());
  if (number === undefined || BigInt.asIntN(64, number) !== number)
    throw new DecodeError('bad_value', 'the line or column of a frame is no whole number of 64 bits');
  return number;
}
