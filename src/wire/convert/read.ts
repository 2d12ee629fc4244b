// Every form that can be read, as columns.
import type { Columns } from '../../model/columns/columns.ts';
import type { Form, Origin } from '../../model/payload.ts';
import { decodeFolded } from '../folded/decode.ts';
import { gunzipHere, inflatedLimit, isGzip } from '../gzip.ts';
import { decodeJfr } from '../jfr/decode.ts';
import { decodeLegacy } from '../legacy/decode.ts';
import { decodeOtlp } from '../otlp/decode.ts';
import { decodePerf } from '../perf/decode.ts';
import { decodePprof } from '../pprof/decode.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { IngestQuery } from '../pyroscope/ingest.ts';
import { decodeTree, decodeTrie } from '../tree/decode.ts';
import { decodeCpuProfile } from '../v8/cpu-profile.ts';
import { decodeHeapProfile } from '../v8/heap-profile.ts';
import { named, typed } from './ingested.ts';
import type { Losses } from './losses.ts';
import { readSpeedscope } from './speedscope.ts';

/** What is known of a profile beside its bytes. */
export interface About {
  /** How it came: /ingest says in its query what forms without types and times leave open. */
  readonly origin?: Pick<Origin, 'door' | 'query' | 'parts' | 'timeMs'> | undefined;
  /** Unix milliseconds: the time of a profile whose form has none. Without it such a profile stays without. */
  readonly receivedMs?: number;
  /** Whether a line of folded text that cannot be read is refused, which senders hear, or left out and counted. */
  readonly badLines?: 'refuse' | 'skip';
  /** Which part of an OTLP request. */
  readonly part?: number;
}

export interface ReadProfile {
  readonly columns: Columns;
  /** What the form says of the series, where the envelope does not say otherwise: `__name__`, `jfr_event`, `profile_name`. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** What the labels beside a JFR may inflate to, bytes. Those of a busy JVM have some 100 KB. */
const MAX_LABELS_BYTES = 16 * 1024 * 1024;

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();

/**
 * The profiles in a payload: of JFR one per kind of event, of speedscope one per profile of the file, of a part of OTLP one per group, else
 * one. They are in use together, so that `maxBytes` bounds all of them.
 * @param raw inflated; may lie in shared memory; must not change while the columns are in use
 * @throws DecodeError as the decoder of the form
 */
export function readProfiles(
  form: Form,
  raw: Uint8Array,
  about: About,
  losses?: Losses,
  maxBytes = MAX_DECODED_BYTES,
): ReadProfile[] {
  const plain = (columns: Columns): ReadProfile => ({ columns, attributes: NO_ATTRIBUTES });
  const untimed = (columns: Columns): ReadProfile => named(columns, about, []);
  switch (form) {
    case 'pprof':
      return [plain(decodePprof(raw, undefined, maxBytes))];
    case 'otlp':
      return decodeOtlp(raw, about.part ?? 0, maxBytes).map(plain);
    case 'jfr':
      return readJfr(raw, about, losses, maxBytes);
    case 'groups':
    case 'lines': {
      const values = form === 'groups' ? 'count' : 'lines';
      // A sender hears of its mistake; nobody hears of one in a file, whose other lines are good.
      const badLines = about.badLines ?? (about.origin?.door === 'file' ? 'skip' : 'refuse');
      return [typed(decodeFolded(raw, { values, badLines, maxBytes }, losses), about)];
    }
    case 'tree':
      return [typed(decodeTree(raw, maxBytes), about)];
    case 'trie':
      return [typed(decodeTrie(raw, maxBytes), about)];
    case 'speedscope':
      return readSpeedscope(raw, about, losses, maxBytes);
    case 'cpuprofile':
      return [untimed(decodeCpuProfile(raw, losses, maxBytes))];
    case 'heapprofile':
      return [untimed(decodeHeapProfile(raw, losses, maxBytes))];
    case 'perf':
      return decodePerf(raw, losses, maxBytes).map(({ columns }) => untimed(columns));
    case 'legacy':
      return [untimed(decodeLegacy(raw, losses, maxBytes))];
  }
}

function readJfr(raw: Uint8Array, about: About, losses: Losses | undefined, maxBytes: number): ReadProfile[] {
  const { origin } = about;
  const part = origin?.parts?.labels;
  const labels = part && isGzip(part) ? gunzipHere(part, inflatedLimit(part.length, MAX_LABELS_BYTES)) : part;
  const isIngest = origin?.door === 'ingest';
  const sampleRate = isIngest ? new IngestQuery(origin.query ?? '').sampleRate : 0;
  const { profiles, event } = decodeJfr(
    raw,
    { ...(sampleRate > 0 && { sampleRate }), ...(labels && { labels }), maxBytes },
    losses,
  );
  return profiles.map(({ name, columns }) =>
    named(columns, about, [['__name__', name], ...(event === '' ? [] : ([['jfr_event', event]] as const))]),
  );
}
