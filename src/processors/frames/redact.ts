import type { Columns } from '../../model/columns/columns.ts';
import { namedStrings } from '../../model/columns/named-strings.ts';
import type { Regex } from '../../wire/regex.ts';
import { type Field, textMatcher } from './match.ts';
import { rewriter, setText } from './rename.ts';

/** More strings that nothing names than this are not looked at one by one: all of them go. Real profiles have a handful. */
const MAX_LOOKS = 10_000;

/**
 * Writes other texts where the field matches, and wherever else the same might be said: name, system name and file of a function,
 * file and build id of a mapping, fields that nobody knows of these and of the locations and lines that lead to them, comments.
 */
export function redact(columns: Columns, field: Field, regex: Regex, write: (text: string) => string): void {
  const matches = textMatcher(columns, regex);
  const rewritten = rewriter(columns, write);
  const hide = (column: Uint32Array, row: number) => {
    const before = column[row]!;
    setText(columns, column, row, rewritten(before));
    if (column[row] !== before) columns.hide(before);
  };
  if (field === 'mapping') redactMappings(columns, matches, hide);
  else redactFunctions(columns, field, matches, hide);
  redactTexts(columns, matches, hide);
}

type Matches = (row: number) => boolean;
type Hide = (column: Uint32Array, row: number) => void;

function redactFunctions(columns: Columns, field: 'function' | 'file', matches: Matches, hide: Hide): void {
  const { functions, locations, strings } = columns;
  const { name, systemName, file } = functions;
  const named: Matches = row => {
    const [first, second] = [name[row]!, systemName[row]!];
    // What is shown is one of both; a function without either has the name ''.
    if (strings.byteLength(first) === 0) return matches(second);
    return matches(first) || (first !== second && strings.byteLength(second) > 0 && matches(second));
  };
  const hidden = new Uint8Array(functions.count);
  for (let row = 1; row < functions.count; row++) {
    if (!(field === 'function' ? named(row) : matches(file[row]!))) continue;
    hidden[row] = 1;
    hide(name, row);
    hide(systemName, row);
    hide(file, row);
    columns.forget('function', row);
  }
  const { lines, lineStart, lineEnd } = locations;
  forgetLocations(columns, row => {
    for (let line = lineStart[row]!; line < lineEnd[row]!; line++) if (hidden[lines.function[line]!] === 1) return true;
    return false;
  });
}

function redactMappings(columns: Columns, matches: Matches, hide: Hide): void {
  const { mappings, locations } = columns;
  const hidden = new Uint8Array(mappings.count);
  for (let row = 1; row < mappings.count; row++) {
    if (!matches(mappings.file[row]!)) continue;
    hidden[row] = 1;
    hide(mappings.file, row);
    hide(mappings.buildId, row);
    columns.forget('mapping', row);
  }
  forgetLocations(columns, row => hidden[locations.mapping[row]!] === 1);
}

/** Takes unknown fields from these locations and all of their lines. */
function forgetLocations(columns: Columns, which: (location: number) => boolean): void {
  const { unknown, otlp, locations } = columns;
  if (!unknown?.of('location') && !unknown?.of('line') && !otlp) return;
  for (let row = 1; row < locations.count; row++) {
    if (!which(row)) continue;
    columns.forget('location', row);
    for (let line = locations.lineStart[row]!; line < locations.lineEnd[row]!; line++) columns.forget('line', line);
  }
}

/** Comments, and texts that would name what now has another name: patterns of frames, the address of a document, attributes of OTLP. */
function redactTexts(columns: Columns, matches: Matches, hide: Hide): void {
  const { comments, strings } = columns;
  for (let at = 0; at < comments.length; at++) if (matches(comments.items[at]!)) hide(comments.items, at);
  for (const key of ['dropFrames', 'keepFrames', 'docUrl'] as const) {
    const row = columns[key];
    if (strings.byteLength(row) === 0 || !matches(row)) continue;
    columns[key] = 0;
    columns.hide(row);
    columns.edited = true;
  }
  const { otlp, labels } = columns;
  for (const first of otlp ? [otlp.firstAttribute, otlp.scope?.firstAttribute ?? 0] : [])
    for (let label = first; label !== 0; label = labels.next[label]!) {
      if (labels.isNumber(label) || !matches(labels.text[label]!)) continue;
      hide(labels.text, label);
      // The text is the value now, whatever kind it had been of.
      labels.setText(label, labels.text[label]!);
      columns.edited = true;
    }
}

/**
 * Takes strings that match out of the table where nothing names them: such a profile would pass as it came, with a text that should
 * be hidden. For after all edits, and needless where those take all of them with them.
 */
export function hideUnnamed(columns: Columns, regexes: readonly Regex[]): void {
  if (columns.edited && !columns.unknown) return;
  const { strings } = columns;
  const named = namedStrings(columns);
  let looks = 0;
  for (let row = 1; row < strings.sourceCount; row++) {
    if (named[row] === 1 || strings.byteLength(row) === 0) continue;
    const text = ++looks > MAX_LOOKS ? undefined : strings.text(row);
    if (text !== undefined && !regexes.some(regex => regex.test(text))) continue;
    columns.hide(row);
    columns.edited = true;
  }
}
