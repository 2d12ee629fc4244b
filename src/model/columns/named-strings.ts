import type { Columns } from './columns.ts';

/** Which strings of the table some row of another table names, live or not: 1, or 0 for not. About 1 ns per row. */
export function namedStrings(columns: Columns): Uint8Array {
  const { labels, functions, mappings, comments, sampleTypes, periodType } = columns;
  const named = new Uint8Array(columns.strings.count);
  for (let row = 1; row < labels.count; row++)
    named[labels.key[row]!] = named[labels.text[row]!] = named[labels.unit[row]!] = 1;
  for (let row = 1; row < functions.count; row++)
    named[functions.name[row]!] = named[functions.systemName[row]!] = named[functions.file[row]!] = 1;
  for (let row = 1; row < mappings.count; row++) named[mappings.file[row]!] = named[mappings.buildId[row]!] = 1;
  for (const { type, unit } of periodType ? [...sampleTypes, periodType] : sampleTypes) named[type] = named[unit] = 1;
  const { scope, schemaUrl } = columns.otlp ?? {};
  if (scope) named[scope.name] = named[scope.version] = named[scope.schemaUrl] = 1;
  if (schemaUrl) named[schemaUrl] = 1;
  for (let at = 0; at < comments.length; at++) named[comments.items[at]!] = 1;
  for (const row of [columns.dropFrames, columns.keepFrames, columns.defaultSampleType, columns.docUrl]) named[row] = 1;
  return named;
}
