// Conversions between forms, as a task: what an exporter's store does not take is made what it takes.
import type { Plain } from '../model/attributes.ts';
import type { Payload } from '../model/payload.ts';
import type { Loss } from '../wire/convert/losses.ts';
import { otlpToPprof } from '../wire/convert/otlp-to-pprof.ts';
import { pprofToOtlp } from '../wire/convert/pprof-to-otlp.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { MAX_INFLATED_BYTES } from '../wire/gzip.ts';
import { inflate } from '../wire/inflate.ts';
import { releaseOtlpOutput } from '../wire/otlp/encode.ts';
import { gatherOtlp } from '../wire/otlp/merge.ts';
import { type ProfileLimits, splitPprof } from '../wire/pprof/split.ts';

/**
 * All pprof that one OTLP request may become, bytes: each part has symbols of its own there, so that many small parts that lead to the same
 * large stacks would be more than they weigh without end. Four times the longest request.
 */
const MAX_CONVERTED_BYTES = 256 * 1024 * 1024;

export type ConvertTask =
  /** Each profile becomes one ResourceProfiles of one request, in this order. */
  | {
      readonly to: 'otlp';
      readonly profiles: readonly {
        readonly attributes: ReadonlyMap<string, Plain>;
        readonly payload: Pick<Payload, 'encoding' | 'bytes'>;
      }[];
      readonly receivedMs: number;
    }
  /** Parts of several OTLP requests become one request, in this order. */
  | { readonly to: 'one'; readonly of: readonly { readonly request: Uint8Array; readonly parts: readonly number[] }[] }
  /** Each part of an OTLP request becomes pprof profiles; a pprof is only brought within the limits. */
  | {
      readonly to: 'pprof';
      readonly payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>;
      readonly parts: readonly number[];
      readonly receivedMs: number;
      readonly limits?: ProfileLimits;
    };

/** What became of one profile: where its result lies, or what is wrong with it. */
export interface Converted {
  /** For otlp the part of `request`; for pprof the profiles, which may be none. */
  readonly part?: number;
  readonly profiles?: readonly Uint8Array[];
  readonly failure?: string;
}
export interface ConvertReport {
  readonly request?: Uint8Array;
  /** One for each profile or part that was given. */
  readonly outcomes: readonly Converted[];
  readonly losses: readonly Loss[];
}

export async function convert(task: ConvertTask): Promise<ConvertReport> {
  if (task.to === 'one') return toOne(task);
  return task.to === 'otlp' ? await toOtlp(task) : await toPprof(task);
}

function toOne({ of }: Extract<ConvertTask, { to: 'one' }>): ConvertReport {
  const parts = of.flatMap(({ parts }) => parts);
  try {
    return { request: gatherOtlp(of), outcomes: parts.map((_part, at) => ({ part: at })), losses: [] };
  } catch (error) {
    const why = failed(error);
    return { outcomes: parts.map(() => why), losses: [] };
  }
}

type Source = Parameters<typeof pprofToOtlp>[0][number];

async function toOtlp({ profiles, receivedMs }: Extract<ConvertTask, { to: 'otlp' }>): Promise<ConvertReport> {
  const sources: (Source | Converted)[] = [];
  for (const { attributes, payload } of profiles) {
    try {
      sources.push({ attributes, raw: await inflated(payload), receivedMs });
    } catch (error) {
      sources.push(failed(error));
    }
  }
  try {
    return together(sources);
  } catch (error) {
    failed(error);
    // One bad profile must not take the others with it: each is converted alone, then they are put together.
    return apart(sources);
  }
}

function apart(sources: readonly (Source | Converted)[]): ConvertReport {
  const requests: Uint8Array[] = [];
  const losses: Loss[] = [];
  const outcomes = sources.map((source): Converted => {
    if (!('raw' in source)) return source;
    try {
      const one = together([source]);
      losses.push(...one.losses);
      return { part: requests.push(one.request!) - 1 };
    } catch (error) {
      return failed(error);
    }
  });
  if (requests.length === 0) return { outcomes, losses };
  const of = requests.map(request => ({ request, parts: [0] }));
  return { request: gatherOtlp(of), outcomes, losses };
}

function together(sources: readonly (Source | Converted)[]): ConvertReport {
  const sound = sources.filter(source => 'raw' in source);
  let part = 0;
  const outcomes = sources.map((source): Converted => ('raw' in source ? { part: part++ } : source));
  if (sound.length === 0) return { outcomes, losses: [] };
  const { bytes, losses } = pprofToOtlp(sound);
  const request = new Uint8Array(bytes);
  releaseOtlpOutput();
  return { request, outcomes, losses };
}

async function toPprof({
  payload,
  parts,
  receivedMs,
  limits,
}: Extract<ConvertTask, { to: 'pprof' }>): Promise<ConvertReport> {
  const outcomes: Converted[] = [];
  const losses: Loss[] = [];
  const receivedNs = BigInt(receivedMs) * 1_000_000n;
  const split = (raw: Uint8Array) => (limits ? splitPprof(raw, limits, receivedNs) : [raw]);
  let bytes = 0;
  for (const part of parts) {
    try {
      if (bytes > MAX_CONVERTED_BYTES)
        throw new DecodeError('too_large', `the parts before it are more than ${MAX_CONVERTED_BYTES} bytes of pprof`);
      let profiles: readonly Uint8Array[];
      if (payload.form === 'otlp') {
        const converted = otlpToPprof(payload.bytes, part);
        profiles = converted.profiles.flatMap(split);
        losses.push(...converted.losses);
      } else
        profiles = await inflate(payload, MAX_INFLATED_BYTES, { worker: true }, raw => {
          // What is inflated is gone afterwards: a piece that is the whole of it is copied.
          return split(raw).map(piece => (piece === raw ? new Uint8Array(raw) : piece));
        });
      for (const { length } of profiles) bytes += length;
      outcomes.push({ profiles });
    } catch (error) {
      outcomes.push(failed(error));
    }
  }
  return { outcomes, losses };
}

const inflated = (payload: Pick<Payload, 'encoding' | 'bytes'>): Promise<Uint8Array> =>
  inflate(payload, MAX_INFLATED_BYTES, { worker: true }, raw => new Uint8Array(raw));

function failed(error: unknown): Converted {
  if (!(error instanceof DecodeError)) throw error;
  return { failure: `${error.reason}: ${error.message}` };
}
