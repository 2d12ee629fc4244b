import type { Columns } from '../../model/columns/columns.ts';
import type { Regex } from '../../wire/regex.ts';
import { type Field, textMatcher } from './match.ts';

/**
 * Writes other texts where the field matches. `field` rewrites that field alone; `all` also what else would give the same away: the
 * system name and file of a function, the build id of a mapping, fields that nobody knows.
 */
export function rewriteNames(
  columns: Columns,
  field: Field,
  regex: Regex,
  write: (text: string) => string,
  reach: 'field' | 'all',
): void {
  const matches = textMatcher(columns, regex);
  const rewrite = rewriter(columns, write);
  if (field === 'mapping') rewriteMappings(columns, matches, rewrite, reach);
  else rewriteFunctions(columns, field, matches, rewrite, reach);
}

function rewriteFunctions(
  columns: Columns,
  field: 'function' | 'file',
  matches: (row: number) => boolean,
  rewrite: (row: number) => number,
  reach: 'field' | 'all',
): void {
  const { functions, unknown } = columns;
  const { name, systemName, file } = functions;
  const set = setter(columns);
  for (let row = 1; row < functions.count; row++) {
    if (!matches(field === 'function' ? name[row]! : file[row]!)) continue;
    const before = name[row]!;
    // Where nothing was mangled, name and system name are the same.
    const isSystemName = field === 'function' && columns.strings.same(systemName[row]!, before);
    if (reach === 'all' || field === 'function') set(name, row, rewrite(before));
    if (reach === 'all' || isSystemName) set(systemName, row, rewrite(systemName[row]!));
    if (reach === 'all' || field === 'file') set(file, row, rewrite(file[row]!));
    if (reach === 'all') unknown?.of('function')?.remove(row);
  }
}

function rewriteMappings(
  columns: Columns,
  matches: (row: number) => boolean,
  rewrite: (row: number) => number,
  reach: 'field' | 'all',
): void {
  const { mappings, unknown } = columns;
  const set = setter(columns);
  for (let row = 1; row < mappings.count; row++) {
    if (!matches(mappings.file[row]!)) continue;
    set(mappings.file, row, rewrite(mappings.file[row]!));
    if (reach === 'field') continue;
    set(mappings.buildId, row, rewrite(mappings.buildId[row]!));
    unknown?.of('mapping')?.remove(row);
  }
}

const setter = (columns: Columns) => (column: Uint32Array, row: number, to: number) => {
  if (column[row] === to) return;
  column[row] = to;
  columns.edited = true;
};

/** Rows of strings to rows of what is written for them, each made once; '' stays ''. */
function rewriter({ strings }: Columns, write: (text: string) => string): (row: number) => number {
  const written = new Map<number, number>();
  return row => {
    if (strings.byteLength(row) === 0) return row;
    let to = written.get(row);
    if (to === undefined) {
      to = strings.intern(write(strings.text(row)));
      written.set(row, to);
    }
    return to;
  };
}
