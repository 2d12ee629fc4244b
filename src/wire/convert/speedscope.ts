import type { Columns } from '../../model/columns/columns.ts';
import { rawTypeOf, setType } from '../pyroscope/raw-type.ts';
import { decodeSpeedscope } from '../speedscope/decode.ts';
import { named, queryOf } from './ingested.ts';
import type { Losses } from './losses.ts';
import type { About, ReadProfile } from './read.ts';

/** Names of the series by the unit, where the application's name does not tell. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['bytes', 'memory'],
  ['none', 'process_cpu'],
]);

/**
 * The profiles of a speedscope file. By /ingest the application's name tells what they measure, as far as the unit agrees; values are what
 * the file says (Pyroscope keeps them hundredfold and divides by a rate, which loses nanoseconds).
 * @throws DecodeError as `decodeSpeedscope`
 */
export function readSpeedscope(
  raw: Uint8Array,
  about: About,
  losses: Losses | undefined,
  maxBytes: number,
): ReadProfile[] {
  const query = queryOf(about);
  return decodeSpeedscope(raw, losses, maxBytes).map(({ name, unit, columns }) => {
    const attributes: [string, string][] = [];
    if (query) attributes.push(['__name__', nameFor(query.name.app, unit, columns)]);
    if (name !== '') attributes.push(['profile_name', name]);
    return named(columns, about, attributes, query && rawTypeOf(query.name.app).app);
  });
}

/** `__name__`; where the application's name and the unit agree, the sample type is what the name says. */
function nameFor(app: string, unit: string, columns: Columns): string {
  const { raw, suffix } = rawTypeOf(app);
  if (columns.sampleTypes.length === 1 && raw && suffix !== '') {
    const own = columns.strings.text(columns.sampleTypes[0]!.unit);
    if (own === raw.unit) setType(columns, raw.type, raw.unit);
    return raw.name;
  }
  return NAMES.get(unit) ?? 'wall';
}
