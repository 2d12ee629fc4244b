import type { Columns } from '../../model/columns/columns.ts';
import type { Regex } from '../../wire/regex.ts';
import type { Rule } from './config.ts';

export type Field = Rule['field'];

/** Whether a frame matches: a line of a location, or line -1 for a location that has none. */
export type LineMatcher = (location: number, line: number) => boolean;

const UNKNOWN = 0;
const NO = 1;
const YES = 2;

/** Asks the regular expression once per distinct text. What has no name has the name ''. */
export function textMatcher({ strings }: Columns, regex: Regex): (row: number) => boolean {
  let known = new Uint8Array(strings.count);
  return row => {
    if (row >= known.length) {
      const longer = new Uint8Array(strings.count);
      longer.set(known);
      known = longer;
    }
    if (known[row] === UNKNOWN) known[row] = regex.test(strings.text(row)) ? YES : NO;
    return known[row] === YES;
  };
}

export function lineMatcher(columns: Columns, field: Field, regex: Regex): LineMatcher {
  const { locations, functions, mappings } = columns;
  const matches = textMatcher(columns, regex);
  const textOf = (row: number, column: Uint32Array) => (row === 0 ? 0 : column[row]!);
  if (field === 'mapping') return location => matches(textOf(locations.mapping[location]!, mappings.file));
  const column = field === 'function' ? functions.name : functions.file;
  const { lines } = locations;
  return (_location, line) => matches(line < 0 ? 0 : textOf(lines.function[line]!, column));
}
