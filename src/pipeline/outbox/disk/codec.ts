// A batch as a queue file keeps it: what describes it as JSON, and its bytes one after another.
import { type Attributes, labelText, type Plain } from '../../../model/attributes.ts';
import { BatchId, bytesOf, type Dialect, type Profile, type Signal } from '../../../model/batch.ts';
import type { Encoding, Form, Origin, Payload } from '../../../model/payload.ts';
import type { ProfileView } from '../operations.ts';
import type { AnyBatch } from '../store.ts';

/** Payloads and parts name their bytes by number; summaries are not kept, they cost less to compute than to trust. */
interface StoredPayload {
  readonly form: Form;
  readonly encoding: Encoding;
  readonly body: number;
}
interface StoredProfile {
  readonly attributes: [string, unknown][];
  /** Index into `payloads`. */
  readonly payload: number;
  readonly part: number;
  readonly origin?: Omit<Origin, 'parts'> & { readonly parts?: Record<string, number> };
}
interface StoredBatch {
  readonly tenant: string;
  readonly dialect: Dialect;
  readonly receivedMs: number;
  readonly lengths: number[];
  readonly profiles?: StoredProfile[];
  readonly payloads?: StoredPayload[];
  readonly trace?: StoredPayload;
  readonly points?: { name: string; attributes: [string, unknown][]; value: unknown }[];
}

export interface EncodedBatch {
  readonly meta: string;
  /** Views on the batch's own bytes, in the order in which `meta` counts them. */
  readonly bodies: readonly Uint8Array[];
}

export function encodeBatch(batch: AnyBatch): EncodedBatch {
  const bodies = [...new Set(bytesOf(batch))];
  const at = new Map(bodies.map((bytes, n) => [bytes, n]));
  const stored: StoredBatch = {
    tenant: batch.tenant,
    dialect: batch.dialect,
    receivedMs: batch.receivedMs,
    lengths: bodies.map(({ length }) => length),
    ...contentOf(batch, bytes => at.get(bytes)!),
  };
  return { meta: JSON.stringify(stored), bodies };
}

function contentOf(batch: AnyBatch, bodyOf: (bytes: Uint8Array) => number): Partial<StoredBatch> {
  const payloadOf = ({ form, encoding, bytes }: Payload) => ({ form, encoding, body: bodyOf(bytes) });
  if (batch.signal === 'traces') return { trace: payloadOf(batch.payload) };
  if (batch.signal === 'metrics')
    return {
      points: batch.points.map(({ name, attributes, value }) => ({
        name,
        attributes: pairsOf(attributes),
        value: tagged(value),
      })),
    };
  const payloads = [...new Set(batch.profiles.map(({ payload }) => payload))];
  const numbers = new Map(payloads.map((payload, n) => [payload, n]));
  const profiles = batch.profiles.map(({ attributes, payload, part, origin }): StoredProfile => {
    const { parts, ...rest } = origin ?? { door: '' };
    const numbered =
      parts && Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, bodyOf(bytes)] as const));
    return {
      attributes: pairsOf(attributes),
      payload: numbers.get(payload)!,
      part,
      ...(origin && { origin: { ...rest, ...(numbered && { parts: numbered }) } }),
    };
  });
  return { profiles, payloads: payloads.map(payloadOf) };
}

/** @param bytes all bodies one after another; the batch's payloads are views on them. @throws Error when the JSON is none of ours */
export function decodeBatch(id: string, meta: string, bytes: Uint8Array): AnyBatch {
  const stored = JSON.parse(meta) as StoredBatch;
  const bodies: Uint8Array[] = [];
  let at = 0;
  for (const length of stored.lengths) {
    bodies.push(bytes.subarray(at, at + length));
    at += length;
  }
  const head = {
    id: BatchId.of(id),
    tenant: stored.tenant,
    dialect: stored.dialect,
    receivedMs: stored.receivedMs,
    sizeBytes: at,
  };
  const payloadOf = ({ form, encoding, body }: StoredPayload): Payload => ({ form, encoding, bytes: bodies[body]! });
  if (stored.trace) return { ...head, signal: 'traces', payload: payloadOf(stored.trace) };
  if (stored.points)
    return {
      ...head,
      signal: 'metrics',
      points: stored.points.map(({ name, attributes, value }) => ({
        name,
        attributes: mapOf(attributes),
        value: untagged(value) as number | bigint,
      })),
    };
  const payloads = stored.payloads!.map(payloadOf);
  const profiles = stored.profiles!.map(({ attributes, payload, part, origin }): Profile => {
    const { parts, ...rest } = origin ?? { door: '' };
    const bytesByName =
      parts && Object.fromEntries(Object.entries(parts).map(([name, body]) => [name, bodies[body]!] as const));
    return {
      attributes: mapOf(attributes),
      payload: payloads[payload]!,
      part,
      ...(origin && { origin: { ...rest, ...(bytesByName && { parts: bytesByName }) } }),
    };
  });
  return { ...head, signal: 'profiles', profiles };
}

/** A batch without its bytes. */
export interface Description {
  readonly signal: Signal;
  readonly tenant: string;
  readonly dialect: Dialect;
  readonly receivedMs: number;
  /** Of all bodies. */
  readonly bytes: number;
  readonly profiles: readonly ProfileView[];
}

/** What `meta` says, and where in the bytes each payload lies. @throws Error when the JSON is none of ours */
export function describeBatch(meta: string): Description {
  const stored = JSON.parse(meta) as StoredBatch;
  const { tenant, dialect, receivedMs, lengths } = stored;
  const starts = lengths.map((_length, n) => lengths.slice(0, n).reduce((sum, length) => sum + length, 0));
  const bytes = lengths.reduce((sum, length) => sum + length, 0);
  const head = { tenant, dialect, receivedMs, bytes };
  const place = (body: number) => {
    if (!(body in lengths)) throw new Error(`it names body ${body} of ${lengths.length}`);
    return { at: starts[body]!, bytes: lengths[body]! };
  };
  if (stored.points) return { ...head, signal: 'metrics', profiles: [] };
  if (stored.trace) {
    const { form, encoding, body } = stored.trace;
    return { ...head, signal: 'traces', profiles: [{ labels: {}, form, encoding, part: 0, ...place(body) }] };
  }
  const profiles = stored.profiles!.map(({ attributes, payload, part, origin }): ProfileView => {
    const { form, encoding, body } = stored.payloads![payload]!;
    const labels: Record<string, string> = {};
    for (const [name, value] of mapOf(attributes)) labels[name] = labelText(value) ?? '';
    const { parts, ...rest } = origin ?? { door: '' };
    const placed = parts && Object.fromEntries(Object.entries(parts).map(([name, at]) => [name, place(at)] as const));
    return {
      ...{ labels, form, encoding, part },
      ...place(body),
      ...(origin && { origin: { ...rest, ...(placed && { parts: placed }) } }),
    };
  });
  return { ...head, signal: 'profiles', profiles };
}

const pairsOf = (attributes: Attributes): [string, unknown][] =>
  [...attributes].map(([name, value]) => [name, tagged(value)]);
const mapOf = (pairs: [string, unknown][]): Attributes =>
  new Map(pairs.map(([name, value]) => [name, untagged(value)]));

/** What JSON cannot say becomes an object with one key: `$n` an integer, `$b` bytes, `$f` a number that is not finite or −0, `$o` an object. */
function tagged(value: Plain): unknown {
  if (typeof value === 'bigint') return { $n: value.toString() };
  if (Object.is(value, -0)) return { $f: '-0' };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $f: String(value) };
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return { $b: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(tagged);
  return { $o: Object.entries(value).map(([name, inner]) => [name, tagged(inner as Plain)]) };
}

function untagged(value: unknown): Plain {
  if (value === null || typeof value !== 'object') return value as Plain;
  if (Array.isArray(value)) return value.map(untagged);
  const { $n, $f, $b, $o } = value as { $n?: string; $f?: string; $b?: string; $o?: [string, unknown][] };
  if ($n !== undefined) return BigInt($n);
  if ($f !== undefined) return Number($f);
  if ($b !== undefined) return new Uint8Array(Buffer.from($b, 'base64'));
  return Object.fromEntries(($o ?? []).map(([name, inner]) => [name, untagged(inner)]));
}
