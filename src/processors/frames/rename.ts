import type { Columns } from '../../model/columns/columns.ts';
import type { Regex } from '../../wire/regex.ts';
import { type Field, shownName, textMatcher } from './match.ts';

/** Rewrites the field where it matches, and nothing else: of a function the name that is shown. */
export function rename(columns: Columns, field: Field, regex: Regex, replacement: string): void {
  const { functions, mappings, strings } = columns;
  const matches = textMatcher(columns, regex);
  const rewrite = rewriter(columns, text => regex.replaceAll(text, replacement));
  if (field !== 'function') {
    const [column, count] = field === 'file' ? [functions.file, functions.count] : [mappings.file, mappings.count];
    for (let row = 1; row < count; row++)
      if (matches(column[row]!)) setText(columns, column, row, rewrite(column[row]!));
    return;
  }
  const { name, systemName } = functions;
  for (let row = 1; row < functions.count; row++) {
    const shown = shownName(columns, row);
    if (!matches(shown)) continue;
    // Where nothing was mangled, name and system name are the same.
    const isSystemName = strings.same(systemName[row]!, shown);
    setText(columns, name, row, rewrite(name[row]!));
    if (isSystemName) setText(columns, systemName, row, rewrite(systemName[row]!));
  }
}

export function setText(columns: Columns, column: Uint32Array, row: number, to: number): void {
  if (column[row] === to) return;
  column[row] = to;
  columns.edited = true;
}

/** Rows of strings that are there now to rows of what is written for them, each made once; '' stays ''. */
export function rewriter({ strings }: Columns, write: (text: string) => string): (row: number) => number {
  /** Row + 1; 0 where nothing was made yet. */
  const written = new Uint32Array(strings.count);
  return row => {
    if (strings.byteLength(row) === 0) return row;
    if (written[row] === 0) written[row] = strings.intern(write(strings.text(row))) + 1;
    return written[row]! - 1;
  };
}
