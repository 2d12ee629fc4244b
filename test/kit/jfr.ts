// Recordings of the JVM: real ones with what oracles say of them, and ones made by hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Columns } from '../../src/model/columns/columns.ts';
import { parseMultipart } from '../../src/wire/multipart.ts';
import { corpusDir, recordings } from './corpus.ts';
import { inflated } from './profiles.ts';

interface Golden {
  readonly path: string;
  readonly lines: number;
  readonly valueSums: readonly string[];
}
export interface CorpusJfr {
  readonly file: string;
  readonly raw: Buffer;
  readonly facts: {
    readonly events: number;
    readonly eventTypes: Readonly<Record<string, number>>;
    readonly chunkInfo: readonly { startNanos: string; durationNanos: string; ticksPerSecond: string }[];
  };
  readonly golden: readonly Golden[];
}
export interface TrafficFacts {
  readonly events: Readonly<Record<string, number>>;
  readonly sums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly spanIds?: readonly string[];
  readonly contextIds?: number;
  readonly settings: { readonly event?: string };
}
export interface SentJfr {
  readonly file: string;
  readonly raw: Buffer;
  readonly labels?: Buffer;
  readonly facts: TrafficFacts;
  readonly labelFacts?: { readonly labels: Readonly<Record<string, { readonly values: readonly string[] }>> };
  readonly sampleRate: number;
}

/** Those of the shared corpus; none without it. */
export function corpusJfr(): CorpusJfr[] {
  if (!corpusDir) return [];
  const { files } = JSON.parse(readFileSync(resolve(corpusDir, 'MANIFEST.json'), 'utf8'));
  return (files as (CorpusJfr & { format: string })[])
    .filter(({ file, format }) => format === 'jfr' && /^jfr\/.*\.jfr(\.gz)?$/.test(file))
    .map(entry => ({ ...entry, golden: entry.golden ?? [], raw: corpusFile(entry.file) }));
}

/** A file of the shared corpus, inflated. */
export function corpusFile(file: string): Buffer {
  return inflated(readFileSync(resolve(corpusDir!, file)));
}

/** Those that agents sent, with the labels beside them. */
export function sentJfr(): SentJfr[] {
  return recordings().flatMap(({ file, parts, headers, body, query }) => {
    const part = (name: string) => parts?.find(one => one.part === name)?.facts as never;
    if (!parts?.some(({ format, part: name }) => format === 'jfr' && name === 'jfr')) return [];
    const type = headers.find(([name]) => name.toLowerCase() === 'content-type')![1];
    const sent = parseMultipart(body, type);
    const labels = sent.get('labels')?.data;
    return {
      file,
      raw: inflated(sent.get('jfr')!.data),
      facts: part('jfr') as TrafficFacts,
      ...(labels && { labels: inflated(labels), labelFacts: part('labels') as SentJfr['labelFacts'] & {} }),
      sampleRate: Number(new URLSearchParams(query.replace(/^\?/, '')).get('sampleRate')),
    };
  });
}

/** Sums of all values, in the order of the types. */
export function sumsOf({ samples, sampleTypes }: Columns): bigint[] {
  return sampleTypes.map((_, type) => {
    let sum = 0n;
    for (let at = 0; at < samples.count; at++) sum += samples.values.at(at * samples.width + type);
    return sum;
  });
}

export function typesOf({ sampleTypes, strings }: Columns): string[] {
  return sampleTypes.map(({ type, unit }) => `${strings.text(type)}/${strings.text(unit)}`);
}

/** `root:line;…;leaf:line [values]` per stack, sorted: the form of the goldens. */
export function foldedLines(columns: Columns): string[] {
  const { samples } = columns;
  const stacks = new Map<string, bigint[]>();
  for (let at = 0; at < samples.count; at++) {
    const frames = framesOf(columns, at).reverse().join(';');
    const sums = stacks.get(frames) ?? columns.sampleTypes.map(() => 0n);
    stacks.set(frames, sums);
    for (let type = 0; type < samples.width; type++) sums[type]! += samples.values.at(at * samples.width + type);
  }
  return [...stacks].map(([frames, sums]) => `${frames} [${sums.join(' ')}]`).sort();
}

/** Frames of a sample as `function:line`, leaf first. */
export function framesOf({ samples, locations, functions, strings }: Columns, sample: number): string[] {
  return Array.from(samples.stack.subarray(samples.stackStart[sample], samples.stackEnd[sample]), location => {
    const line = locations.lineStart[location]!;
    assert.equal(locations.lineEnd[location], line + 1);
    const name = strings.text(functions.name[locations.lines.function[line]!]!);
    return `${name}:${locations.lines.line.at(line)}`;
  });
}

/** Labels of a sample as text. */
export function labelsOf({ samples, labels, strings }: Columns, sample: number): Record<string, string> {
  const all: Record<string, string> = {};
  for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!)
    all[strings.text(labels.key[label]!)] = strings.text(labels.text[label]!);
  return all;
}
