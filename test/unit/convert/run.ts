// The commands in this process, and what an independent decoder says of the files they write.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ProfileVerb, profileCommand } from '../../../src/convert/command.ts';
import type { ProfileOptions } from '../../../src/convert/options.ts';
import { requestProto } from '../../kit/otlp-tree.ts';
import { factsOf } from '../../kit/pprof.ts';

export const NO_OPTIONS: ProfileOptions = {
  ...{ operands: [], to: undefined, from: undefined, profile: undefined, type: undefined, jfrLabels: undefined },
  ...{ labels: false, json: false, perSecond: false, top: undefined, min: undefined, failOver: undefined },
};

/** A folder that goes with the test. */
export function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-convert-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

export async function run(verb: ProfileVerb, operands: readonly string[], options: Partial<ProfileOptions> = {}) {
  let out = '';
  let err = '';
  const say = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
  };
  const code = await profileCommand(verb, { ...NO_OPTIONS, ...options, operands }, say);
  return { code, out, err };
}

/** By `type unit`: the sum over all profiles of a file. */
export type Sums = Readonly<Record<string, string>>;

/** Sorted, so that two of the same are equal however they came to be. */
export function sumsOf(values: readonly (readonly [string, bigint])[]): Sums {
  const sums = new Map<string, bigint>();
  for (const [type, value] of values) sums.set(type, (sums.get(type) ?? 0n) + value);
  return Object.fromEntries([...sums].sort().map(([type, sum]) => [type, String(sum)]));
}

/** Of pprof files together, by protobufjs. */
export function pprofSums(files: readonly string[]): Sums {
  return sumsOf(
    files.flatMap(file => {
      const { sampleTypes, sums } = factsOf(readFileSync(file));
      return sampleTypes.map(({ type, unit }, at) => [`${type} ${unit}`, BigInt(sums[at]!)] as const);
    }),
  );
}

/** Of an OTLP file, by protobufjs. A sample of timestamps alone counts one for each. */
export function otlpSums(file: string): Sums {
  // biome-ignore lint/suspicious/noExplicitAny: messages by reflection
  const request: any = requestProto.decode(readFileSync(file));
  const text = (row: number): string => request.dictionary?.stringTable[row ?? 0] ?? '';
  const found: [string, bigint][] = [];
  for (const { scopeProfiles } of request.resourceProfiles)
    for (const { profiles } of scopeProfiles)
      for (const { sampleType, samples } of profiles) {
        let sum = 0n;
        for (const { values, timestampsUnixNano } of samples)
          sum +=
            values.length > 0
              ? values.reduce((all: bigint, one: unknown) => all + BigInt(String(one)), 0n)
              : BigInt(timestampsUnixNano.length);
        found.push([`${text(sampleType?.typeStrindex)} ${text(sampleType?.unitStrindex)}`, sum]);
      }
  return sumsOf(found);
}

/** Converts a file to pprof, each profile its own, and to OTLP. */
export async function converted(t: TestContext, file: string, options: Partial<ProfileOptions> = {}) {
  const dir = scratch(t);
  const pprof = await run('convert', [file, join(dir, '{profile}.pb')], options);
  const otlp = await run('convert', [file, join(dir, 'all.otlp')], options);
  const files = [...pprof.err.matchAll(/^flamegate: wrote (.+)$/gm)].map(([, name]) => name!);
  return { pprof, otlp, files, otlpFile: join(dir, 'all.otlp') };
}
