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

/** The row of the name that viewers show for a function: its system name where it has no other. */
export function shownName({ strings, functions }: Columns, row: number): number {
  const name = functions.name[row]!;
  return strings.byteLength(name) > 0 ? name : functions.systemName[row]!;
}

export function lineMatcher(columns: Columns, field: Field, regex: Regex): LineMatcher {
  const { locations, functions, mappings } = columns;
  const matches = textMatcher(columns, regex);
  if (field === 'mapping')
    return location => {
      const row = locations.mapping[location]!;
      return matches(row === 0 ? 0 : mappings.file[row]!);
    };
  const { lines } = locations;
  return (_location, line) => {
    const row = line < 0 ? 0 : lines.function[line]!;
    if (row === 0) return matches(0);
    return matches(field === 'file' ? functions.file[row]! : shownName(columns, row));
  };
}
