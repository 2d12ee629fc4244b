// Every sound pprof at hand, inflated: the shared corpus where it is, pushes that were recorded, tricky ones made by hand.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { corpusDir, malformed, recordings } from './corpus.ts';
import { pushed } from './pprof.ts';

export interface CorpusFacts {
  readonly valueSums: readonly string[];
  readonly samples: number;
  readonly locations: number;
  readonly functions: number;
  readonly timeNanos: string;
  readonly durationNanos: string;
  readonly period: string;
}
export interface SoundProfile {
  readonly file: string;
  readonly raw: Buffer;
  /** What an oracle said of it; only the shared corpus has them. */
  readonly facts?: CorpusFacts;
}

export const inflated = (bytes: Buffer): Buffer => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);

/** Real profiles with the facts of the manifest; none without the shared corpus. */
export function corpusProfiles(): SoundProfile[] {
  if (!corpusDir) return [];
  const { files } = JSON.parse(readFileSync(resolve(corpusDir, 'MANIFEST.json'), 'utf8')) as {
    files: { file: string; format: string; facts: CorpusFacts }[];
  };
  return files
    .filter(({ format, file }) => format === 'pprof' && file.startsWith('pprof/'))
    .map(({ file, facts }) => ({ file, facts, raw: inflated(readFileSync(resolve(corpusDir!, file))) }));
}

/** Profiles out of recorded push requests. */
export function recordedProfiles(): SoundProfile[] {
  return recordings()
    .filter(({ path }) => path.endsWith('/Push'))
    .flatMap(({ file, body, headers }) => {
      const gzipped = headers.some(([name, value]) => name.toLowerCase() === 'content-encoding' && value === 'gzip');
      return pushed(gzipped ? gunzipSync(body) : body).map(({ rawProfile }, at) => ({
        file: `${file}#${at}`,
        raw: inflated(rawProfile),
      }));
    });
}

/** Sound ones among the malformed and tricky. */
export function trickyProfiles(): SoundProfile[] {
  return malformed('pprof')
    .filter(({ expect, file }) => expect.status === 200 && file !== 'string-not-utf8.pb')
    .map(({ file, bytes }) => ({ file, raw: inflated(bytes) }));
}

export function soundProfiles(): SoundProfile[] {
  return [...corpusProfiles(), ...recordedProfiles(), ...trickyProfiles()];
}
