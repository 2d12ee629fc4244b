import type { Summary } from './summary.ts';

/**
 * What the bytes are. `groups` and `lines` are Pyroscope's two folded texts (a count per line; a stack per line), `tree` and `trie` its
 * two binary ones; `cpuprofile` and `heapprofile` are V8's, `perf` is what `perf script` prints, `legacy` what pprof was before protobuf.
 */
export type Form =
  | 'pprof'
  | 'otlp'
  | 'jfr'
  | 'groups'
  | 'lines'
  | 'tree'
  | 'trie'
  | 'speedscope'
  | 'cpuprofile'
  | 'heapprofile'
  | 'perf'
  | 'legacy';
export type Encoding = 'identity' | 'gzip' | 'zstd';

/**
 * Encoded bytes as they came, still compressed. They lie in shared memory and are borrowed: valid until the call that
 * brought them has answered. Whoever needs them longer (only the outbox does) retains them through `Memory`.
 */
export interface Payload {
  readonly form: Form;
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** Of each part. Known already because the receiver validated the inflated bytes; otherwise `host.summary` finds out. */
  readonly summaries?: readonly Summary[];
  /** Of OTLP: false where it is known that no attribute is a reference into the dictionary, so that none need be looked for. */
  readonly references?: boolean;
}

/** What a store of the same door needs again beside the payload. */
export interface Origin {
  /** `ingest`, `push`, or the type of the receiver. */
  readonly door: string;
  /** The payload is another than the one that came: what the query and the parts say of it is done. */
  readonly converted?: true;
  /** When the profile was made, unix milliseconds, as far as what brought it knows: for those that do not say it themselves. */
  readonly timeMs?: number;
  /** Raw query string as received, without `?`. */
  readonly query?: string;
  /** Content type of the request when it, not the query, told the form (`binary/octet-stream+tree`). */
  readonly contentType?: string;
  /** Other parts of a multipart body by field name: `sample_type_config`, the `labels` of JFR. */
  readonly parts?: Readonly<Record<string, Uint8Array>>;
  /** Id that the sender gave this profile (push.v1 RawSample.ID). */
  readonly sampleId?: string;
}

/** The origin of what was made of a payload: the other parts went into it. */
export function convertedOf({ parts: _parts, ...origin }: Origin): Origin {
  return { ...origin, converted: true };
}

const ENDINGS: Record<Form, string> = {
  pprof: '.pb',
  otlp: '.otlp',
  jfr: '.jfr',
  groups: '.folded',
  lines: '.lines',
  tree: '.tree',
  trie: '.trie',
  speedscope: '.speedscope.json',
  cpuprofile: '.cpuprofile',
  heapprofile: '.heapprofile',
  perf: '.perf.txt',
  legacy: '.legacy.prof',
};
const COMPRESSION: Record<Encoding, string> = { identity: '', gzip: '.gz', zstd: '.zst' };

export const FORMS = Object.keys(ENDINGS) as readonly Form[];

/** How a file of this form is called at its end: `.pb.gz`. */
export const endingOf = (form: Form, encoding: Encoding): string => `${ENDINGS[form]}${COMPRESSION[encoding]}`;
