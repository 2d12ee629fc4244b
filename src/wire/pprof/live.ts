import type { Columns } from '../../model/columns/columns.ts';
import { decodePprof } from './decode.ts';
import { MAX_DECODED_BYTES } from './limits.ts';

/** Which rows are referred to: 1, or 0 for not; per table. */
export interface Live {
  readonly locations: Uint8Array;
  readonly functions: Uint8Array;
  readonly mappings: Uint8Array;
  readonly strings: Uint8Array;
}

/**
 * The rows that edited columns may write. A name that was taken out of all stacks must not stay in the tables, so what nothing refers
 * to goes. Two things stay: mappings that no location ever named, since they say what was loaded; and, where the profile has unknown
 * fields, which may refer to anything, what nothing referred to before the edit either, other than hidden texts. Only for these the
 * source is decoded again, unless both would be too large for a thread: then they go too.
 */
export function liveRows(columns: Columns): Live {
  const live = referred(columns);
  keepUnnamedMappings(columns, live.mappings);
  markStrings(columns, live);
  if (
    !columns.unknown ||
    columns.heldBytes > MAX_DECODED_BYTES / 2 ||
    ![live.locations, live.functions, live.strings].some(rows => rows.includes(0))
  )
    return live;
  const source = decodePprof(columns.source);
  const before = referred(source);
  markStrings(source, before);
  keepUnreferred(live.locations, before.locations);
  // What stays names other things.
  markSymbols(columns, live);
  keepUnreferred(live.functions, before.functions);
  markStrings(columns, live);
  keepStrings(columns, live.strings, before.strings);
  return live;
}

/** Locations that went are still there as rows: what they name and nothing else goes with them. */
function keepUnnamedMappings({ locations, mappings }: Columns, live: Uint8Array): void {
  if (!live.includes(0)) return;
  const named = new Uint8Array(mappings.count);
  for (let row = 1; row < locations.count; row++) named[locations.mapping[row]!] = 1;
  keepUnreferred(live, named);
}

function keepUnreferred(live: Uint8Array, before: Uint8Array): void {
  for (let row = 0; row < before.length; row++) if (before[row] === 0) live[row] = 1;
}

/** As `keepUnreferred`, but a text that goes or is to be hidden, goes from every row. */
function keepStrings({ strings, hidden }: Columns, live: Uint8Array, before: Uint8Array): void {
  const gone = new Set<string>();
  for (let row = 0; row < before.length; row++)
    if (live[row] === 0 && (before[row] === 1 || hidden?.[row] === 1)) gone.add(strings.text(row));
  for (let row = 0; row < before.length; row++)
    if (before[row] === 0 && !(gone.size > 0 && gone.has(strings.text(row)))) live[row] = 1;
}

function referred(columns: Columns): Live {
  const { samples, locations, functions, mappings } = columns;
  const live = {
    locations: new Uint8Array(locations.count),
    functions: new Uint8Array(functions.count),
    mappings: new Uint8Array(mappings.count),
    strings: new Uint8Array(columns.strings.count),
  };
  live.locations[0] = live.functions[0] = live.mappings[0] = live.strings[0] = 1;
  for (let sample = samples.from; sample < samples.count; sample++) {
    const end = samples.stackEnd[sample]!;
    for (let place = samples.stackStart[sample]!; place < end; place++) live.locations[samples.stack[place]!] = 1;
  }
  markSymbols(columns, live);
  return live;
}

/** Marks the functions and mappings that live locations name. */
function markSymbols({ locations }: Columns, live: Live): void {
  const { lines } = locations;
  for (let row = 1; row < locations.count; row++) {
    if (live.locations[row] === 0) continue;
    live.mappings[locations.mapping[row]!] = 1;
    const end = locations.lineEnd[row]!;
    for (let line = locations.lineStart[row]!; line < end; line++) live.functions[lines.function[line]!] = 1;
  }
}

/** Marks the strings that live rows name. */
function markStrings(columns: Columns, { functions: liveFunctions, mappings: liveMappings, strings }: Live): void {
  const { samples, labels, functions, mappings } = columns;
  for (let sample = samples.from; sample < samples.count; sample++)
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!)
      strings[labels.key[label]!] = strings[labels.text[label]!] = strings[labels.unit[label]!] = 1;
  for (let row = 1; row < functions.count; row++)
    if (liveFunctions[row] === 1)
      strings[functions.name[row]!] = strings[functions.systemName[row]!] = strings[functions.file[row]!] = 1;
  for (let row = 1; row < mappings.count; row++)
    if (liveMappings[row] === 1) strings[mappings.file[row]!] = strings[mappings.buildId[row]!] = 1;
  for (const { type, unit } of columns.periodType ? [...columns.sampleTypes, columns.periodType] : columns.sampleTypes)
    strings[type] = strings[unit] = 1;
  for (let at = 0; at < columns.comments.length; at++) strings[columns.comments.items[at]!] = 1;
  for (const row of [columns.dropFrames, columns.keepFrames, columns.defaultSampleType, columns.docUrl])
    strings[row] = 1;
}
