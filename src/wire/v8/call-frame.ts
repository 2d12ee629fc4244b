import type { ColumnsBuilder } from '../../model/columns/builder.ts';
import { DecodeError } from '../decode-error.ts';
import type { JsonCursor } from '../json-cursor.ts';

/** Lines and columns beyond it are none. */
const MAX_LINE = 2 ** 31 - 2;

/** A number in JSON. @throws DecodeError bad_json; bad_value beyond what a double holds exactly */
export function numberOf(json: JsonCursor): number {
  const small = json.smallNumber();
  if (small >= 0) return small;
  const value = Number(json.numberText());
  if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER))
    throw new DecodeError('bad_value', `a number is too large, at byte ${json.at}`);
  return value;
}

/** The id of a node. @throws DecodeError bad_json, bad_value */
export function idOf(json: JsonCursor): number {
  const id = numberOf(json);
  if (!Number.isInteger(id) || id < 0 || id > 0xffffffff)
    throw new DecodeError('bad_value', `an id is no whole number of 32 bits, at byte ${json.at}`);
  return id;
}

const textOf = (json: JsonCursor): string => (json.takeNull() ? '' : json.string().toWellFormed());
/** From 1 on, of a number from 0 on; V8 says -1 where there is none. */
function placeOf(json: JsonCursor): number {
  const place = numberOf(json);
  return Number.isInteger(place) && place >= 0 && place <= MAX_LINE ? place + 1 : 0;
}

/**
 * The location of a Runtime.CallFrame; 0 for the root, which is no frame. Line and column, in the file from 0 on, are where the function
 * begins: V8 does not say where it was. A function without a name is called as DevTools calls it.
 * @throws DecodeError bad_json, bad_value
 */
export function readCallFrame(json: JsonCursor, builder: ColumnsBuilder): number {
  let name = '';
  let url = '';
  let line = 0;
  let column = 0;
  json.object(key => {
    if (key === 'functionName') name = textOf(json);
    else if (key === 'url') url = textOf(json);
    else if (key === 'lineNumber') line = placeOf(json);
    else if (key === 'columnNumber') column = placeOf(json);
    else json.skip();
  });
  if (name === '(root)' && url === '') return 0;
  const text = builder.string(name === '' ? '(anonymous)' : name);
  const fn = builder.function({ name: text, file: builder.string(url), startLine: line });
  return builder.location({ function: fn, line, column });
}
