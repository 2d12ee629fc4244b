// Conversions between forms, as a task: what an exporter's store does not take is made what it takes.
import type { Attributes, Plain } from '../model/attributes.ts';
import type { Origin, Payload } from '../model/payload.ts';
import type { Loss } from '../wire/convert/losses.ts';
import { type OtlpSource, toOtlp } from '../wire/convert/to-otlp.ts';
import { toPprof } from '../wire/convert/to-pprof.ts';
import { type TextForm, toText } from '../wire/convert/to-text.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { MAX_INFLATED_BYTES } from '../wire/gzip.ts';
import { inflate } from '../wire/inflate.ts';
import { releaseOtlpOutput } from '../wire/otlp/encode.ts';
import { gatherOtlp } from '../wire/otlp/merge.ts';
import { type ProfileLimits, splitPprof } from '../wire/pprof/split.ts';

/**
 * All profiles that one payload may become, bytes: each part of OTLP has symbols of its own there, so that many small parts that lead to
 * the same large stacks would be more than they weigh without end. Four times the longest request.
 */
const MAX_CONVERTED_BYTES = 256 * 1024 * 1024;

export type ConvertTask =
  /** Each profile becomes one or more ResourceProfiles of one request, in this order. */
  | {
      readonly to: 'otlp';
      readonly profiles: readonly {
        readonly attributes: ReadonlyMap<string, Plain>;
        readonly payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>;
        readonly origin?: Origin;
      }[];
      readonly receivedMs: number;
    }
  /** Parts of several OTLP requests become one request, in this order. */
  | { readonly to: 'one'; readonly of: readonly { readonly request: Uint8Array; readonly parts: readonly number[] }[] }
  /** Each part of a payload becomes profiles of the form; a pprof that is to be pprof is only brought within the limits. */
  | {
      readonly to: 'pprof' | TextForm;
      readonly payload: Pick<Payload, 'form' | 'encoding' | 'bytes'>;
      readonly parts: readonly { readonly part: number; readonly attributes: ReadonlyMap<string, Plain> }[];
      readonly origin?: Origin;
      readonly receivedMs: number;
      readonly limits?: ProfileLimits;
    };

/** A profile on its own, and what its form said of its series. */
export interface Made {
  readonly bytes: Uint8Array;
  readonly attributes: ReadonlyMap<string, string>;
}
/** What became of one profile: where its result lies, or what is wrong with it. */
export interface Converted {
  /** For otlp the parts of `request`, with what the form said of each; otherwise the profiles. Either may be none. */
  readonly parts?: readonly { readonly part: number; readonly attributes?: ReadonlyMap<string, string> }[];
  readonly profiles?: readonly Made[];
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
  return task.to === 'otlp' ? await intoOtlp(task) : await intoProfiles(task);
}

function toOne({ of }: Extract<ConvertTask, { to: 'one' }>): ConvertReport {
  const parts = of.flatMap(({ parts }) => parts);
  try {
    return { request: gatherOtlp(of), outcomes: parts.map((_part, at) => ({ parts: [{ part: at }] })), losses: [] };
  } catch (error) {
    const why = failed(error);
    return { outcomes: parts.map(() => why), losses: [] };
  }
}

async function intoOtlp({ profiles, receivedMs }: Extract<ConvertTask, { to: 'otlp' }>): Promise<ConvertReport> {
  const sources: (OtlpSource | Converted)[] = [];
  for (const { attributes, payload, origin } of profiles) {
    try {
      const form = payload.form as OtlpSource['form'];
      sources.push({ attributes, form, raw: await inflated(payload), about: { origin, receivedMs } });
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

function apart(sources: readonly (OtlpSource | Converted)[]): ConvertReport {
  const of: { request: Uint8Array; parts: number[] }[] = [];
  const losses: Loss[] = [];
  let before = 0;
  const outcomes = sources.map((source): Converted => {
    if (!('raw' in source)) return source;
    try {
      const one = together([source]);
      losses.push(...one.losses);
      const parts = one.outcomes[0]!.parts!;
      if (parts.length > 0) of.push({ request: one.request!, parts: parts.map(({ part }) => part) });
      const from = before;
      before += parts.length;
      return { parts: parts.map(({ part, ...said }) => ({ ...said, part: from + part })) };
    } catch (error) {
      return failed(error);
    }
  });
  if (of.length === 0) return { outcomes, losses };
  return { request: gatherOtlp(of), outcomes, losses };
}

function together(sources: readonly (OtlpSource | Converted)[]): ConvertReport {
  const sound = sources.filter(source => 'raw' in source);
  if (sound.length === 0) return { outcomes: sources as Converted[], losses: [] };
  const { bytes, said, losses } = toOtlp(sound);
  const request = new Uint8Array(bytes);
  releaseOtlpOutput();
  let part = 0;
  let nth = 0;
  const outcomes = sources.map(
    (source): Converted =>
      'raw' in source ? { parts: said[nth++]!.map(attributes => ({ part: part++, attributes })) } : source,
  );
  return { request, outcomes, losses };
}

type IntoProfiles = Extract<ConvertTask, { readonly limits?: ProfileLimits }>;

async function intoProfiles(task: IntoProfiles): Promise<ConvertReport> {
  const { payload, parts } = task;
  const outcomes: Converted[] = [];
  const losses: Loss[] = [];
  let bytes = 0;
  for (const { part, attributes } of parts) {
    try {
      if (bytes > MAX_CONVERTED_BYTES)
        throw new DecodeError('too_large', `the parts before it are more than ${MAX_CONVERTED_BYTES} bytes converted`);
      const made = await inflate(payload, MAX_INFLATED_BYTES, { worker: true }, raw => {
        const one = makeOne(task, raw, part, attributes);
        losses.push(...one.losses);
        return one.profiles;
      });
      for (const { bytes: own } of made) bytes += own.length;
      outcomes.push({ profiles: made });
    } catch (error) {
      outcomes.push(failed(error));
    }
  }
  return { outcomes, losses };
}

function makeOne(
  { to, payload, origin, receivedMs, limits }: IntoProfiles,
  raw: Uint8Array,
  part: number,
  envelope: Attributes,
): { readonly profiles: readonly Made[]; readonly losses: readonly Loss[] } {
  const { form } = payload;
  const about = { part, origin, receivedMs };
  if (to !== 'pprof') return toText(to, form, raw, about, envelope);
  const receivedNs = BigInt(receivedMs) * 1_000_000n;
  const split = (one: Uint8Array, attributes: Made['attributes']): Made[] =>
    (limits ? splitPprof(one, limits, receivedNs) : [one]).map(bytes => ({ bytes, attributes }));
  if (form !== 'pprof') {
    const { profiles, attributes, losses } = toPprof(form, raw, about);
    return { profiles: profiles.flatMap((one, at) => split(one, attributes[at]!)), losses };
  }
  // What is inflated is gone afterwards: a piece that is the whole of it is copied.
  const pieces = split(raw, NOTHING_SAID).map(one =>
    one.bytes === raw ? { ...one, bytes: new Uint8Array(raw) } : one,
  );
  return { profiles: pieces, losses: [] };
}

const NOTHING_SAID: Made['attributes'] = new Map();

const inflated = (payload: Pick<Payload, 'encoding' | 'bytes'>): Promise<Uint8Array> =>
  inflate(payload, MAX_INFLATED_BYTES, { worker: true }, raw => new Uint8Array(raw));

function failed(error: unknown): Converted {
  if (!(error instanceof DecodeError)) throw error;
  return { failure: `${error.reason}: ${error.message}` };
}
