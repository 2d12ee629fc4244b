// What the query of /ingest says of profiles whose form leaves it open: type, time, and names beside the application's.
import type { Columns } from '../../model/columns/columns.ts';
import { IngestQuery } from '../pyroscope/ingest.ts';
import { applyRawType, neededRawType } from '../pyroscope/raw-type.ts';
import type { About, ReadProfile } from './read.ts';

/** The query, where the profile came with one. */
export function queryOf({ origin }: About): IngestQuery | undefined {
  return origin?.door === 'ingest' && origin.query !== undefined ? new IngestQuery(origin.query) : undefined;
}

/**
 * A profile of one sample type samples/count that is what the application's name says (Pyroscope 2.1: ingest_adapter.go).
 * @throws DecodeError unknown_profile_type, value_overflow
 */
export function typed(columns: Columns, about: About): ReadProfile {
  const query = queryOf(about);
  if (!query) return named(columns, about, []);
  const { app, raw } = neededRawType(query.name.app);
  applyRawType(columns, raw, query.sampleRate);
  return named(columns, about, [['__name__', raw.name]], app);
}

/** When a profile that does not say it was made, unix nanoseconds; 0 for not known. */
export function timeOf({ origin, receivedMs }: About): bigint {
  return BigInt(Math.trunc(origin?.timeMs ?? receivedMs ?? 0)) * 1_000_000n;
}

/** The profile with its time, as far as the query knows it better, and what it says of its series. */
export function named(
  columns: Columns,
  about: About,
  attributes: readonly (readonly [string, string])[],
  app = queryOf(about)?.name.app,
): ReadProfile {
  const query = queryOf(about);
  if (columns.timeNanos <= 0n) {
    columns.timeNanos = query?.from(about.receivedMs) ?? timeOf(about);
    const until = query?.until(about.receivedMs);
    if (columns.durationNanos <= 0n && until !== undefined && until > columns.timeNanos)
      columns.durationNanos = until - columns.timeNanos;
  }
  const all = new Map(attributes);
  // A `service_name` beside the application is the service; the application has a name of its own then.
  if (app !== undefined && query?.name.labels.get('service_name')) all.set('app_name', app);
  return { columns, attributes: all };
}
