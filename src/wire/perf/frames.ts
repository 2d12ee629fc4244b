import type { ColumnsBuilder } from '../../model/columns/builder.ts';
import { takeRoom } from '../../model/columns/growth.ts';
import { HAS_FUNCTIONS, HAS_INLINE_FRAMES } from '../../model/columns/mappings.ts';
import { DecodeError } from '../decode-error.ts';
import { MAX_IDS } from '../pprof/limits.ts';
import { trimBlanks, utf8 } from '../text-lines.ts';

const FRAME = /^[ \t]*([0-9a-f]{1,16})(?:[ \t]+(.*))?$/;
const SOURCE_LINE = /^[ \t]+([^ \t].*):([0-9]{1,9})$/;
const OFFSET = /\+0x[0-9a-f]+$/;
/** About what a place costs in the table here, besides its text, bytes. */
const PLACE_BYTES = 120;
/** Lines of one place: frames that were inlined into it, and source lines behind each. Compilers stop at some dozens. */
const MAX_LINES = 2000;

interface Frame {
  readonly address: string;
  readonly symbol: string;
  /** The file, `inlined`, or ''. */
  readonly object: string;
}

/** `addr symbol+0xoff (dso)`; undefined where the line is none. */
export function frameOf(line: string): Frame | undefined {
  const [, address, text = ''] = FRAME.exec(line) ?? [];
  if (address === undefined) return undefined;
  const said = trimBlanks(text);
  const from = objectStart(said);
  if (said !== '' && from < 0) return { address, symbol: said.replace(OFFSET, ''), object: '' };
  return {
    address,
    symbol: trimBlanks(said.slice(0, from)).replace(OFFSET, ''),
    object: said.slice(from + 1, -1),
  };
}

/** Where the last pair of brackets begins: symbols and files may have some of their own. -1 where the text ends in none. */
function objectStart(text: string): number {
  if (!text.endsWith(')')) return -1;
  let open = 0;
  for (let at = text.length - 1; at >= 0; at--) {
    if (text[at] === ')') open++;
    else if (text[at] === '(' && --open === 0) return at === 0 || text[at - 1] === ' ' ? at : -1;
  }
  return -1;
}

/**
 * Locations by the text of their lines: those inlined into it, innermost first, the frame itself, and source lines behind each. Programs repeat
 * them, so that a text is read once.
 */
export class Frames {
  readonly #builder: ColumnsBuilder;
  readonly #frames = new Map<string, Frame>();
  readonly #rows = new Map<string, number>();

  constructor(builder: ColumnsBuilder) {
    this.#builder = builder;
  }

  /** The frame that a line says, as `frameOf`. */
  frame(line: string): Frame | undefined {
    let frame = this.#frames.get(line);
    if (frame === undefined) {
      frame = frameOf(line);
      if (frame === undefined) return undefined;
      takeRoom(PLACE_BYTES + line.length);
      this.#frames.set(line, frame);
    }
    return frame;
  }

  /** The row of a location. @param lines of frames of one address, of which the last is not inlined, with LF between them */
  row(lines: string): number {
    let row = this.#rows.get(lines);
    if (row === undefined) {
      if (this.#rows.size >= MAX_IDS)
        throw new DecodeError('too_many_elements', `there are more than ${MAX_IDS} places`);
      takeRoom(PLACE_BYTES + lines.length);
      const own = lines.split('\n', MAX_LINES + 1);
      if (own.length > MAX_LINES)
        throw new DecodeError('too_deep', `a place has more than ${MAX_LINES} inlined frames`);
      row = this.#add(own);
      this.#rows.set(lines, row);
    }
    return row;
  }

  #add(lines: readonly string[]): number {
    const builder = this.#builder;
    const { locations, mappings } = builder.columns;
    const frames: { frame: Frame; file: string; line: string }[] = [];
    for (const line of lines) {
      const frame = frameOf(line);
      const [, file, number] = frame ? [] : (SOURCE_LINE.exec(line) ?? []);
      if (frame) frames.push({ frame, file: '', line: '0' });
      else if (file !== undefined) Object.assign(frames.at(-1)!, { file, line: number! });
    }
    const { address, object } = frames.at(-1)!.frame;
    const isKnown = object !== '' && object !== '[unknown]' && object !== 'inlined';
    const mapping = isKnown ? builder.mapping(utf8(object)) : 0;
    const place = BigInt(`0x${address}`);
    const row = locations.add(mapping);
    locations.address.set(row, place);
    const from = locations.lines.count;
    for (const { frame, file, line } of frames) {
      const isNamed = frame.symbol !== '' && frame.symbol !== '[unknown]';
      // A place of which nothing is known is a frame still.
      if (!isNamed && (place !== 0n || mapping !== 0)) continue;
      const name = builder.string(isNamed ? utf8(frame.symbol) : '[unknown]');
      const at = locations.lines.add(builder.function({ name, file: builder.string(utf8(file)) }));
      locations.lines.line.set(at, BigInt(line));
    }
    locations.lineStart[row] = from;
    locations.lineEnd[row] = locations.lines.count;
    if (mapping !== 0 && locations.lines.count > from)
      mappings.flags[mapping]! |= frames.length > 1 ? HAS_FUNCTIONS | HAS_INLINE_FRAMES : HAS_FUNCTIONS;
    return row;
  }
}

/** Whether a line says where in the source the frame above it is: `main.c:12`. */
export const isSourceLine = (line: string): boolean => SOURCE_LINE.test(line);
