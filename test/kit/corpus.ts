// Real profiles and real SDK traffic. The large shared corpus when it lies beside the checkout, else our own recordings in fixtures.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const shared = resolve(root, '../shared/corpus');
export const fixturesDir = resolve(root, 'test/fixtures');
/** The shared corpus, where it is. */
export const corpusDir: string | undefined = existsSync(resolve(shared, 'MANIFEST.json')) ? shared : undefined;
const data = corpusDir ?? fixturesDir;

export interface PprofFacts {
  readonly sampleTypes: readonly { readonly type: string; readonly unit: string }[];
  readonly sums: readonly string[];
  readonly sampleCount: number;
}
/** Of a push.v1 body. */
export interface PushFacts {
  readonly series: readonly {
    readonly labels: readonly (readonly [string, string])[];
    readonly samples: readonly { readonly ID: string; readonly pprof: PprofFacts }[];
  }[];
}
interface ManifestPart {
  readonly part: string;
  readonly format: string;
  readonly facts?: PprofFacts | PushFacts;
}
export interface Recording {
  readonly file: string;
  readonly transport?: string;
  readonly seriesName?: string;
  readonly parts: readonly ManifestPart[];
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** Recorded requests, with what an oracle says of them. */
export function recordings(): Recording[] {
  const dir = resolve(data, 'traffic');
  const manifest = JSON.parse(readFileSync(resolve(dir, 'MANIFEST.json'), 'utf8')) as {
    files: Record<string, never>[];
  };
  return manifest.files
    .filter(entry => entry.direction === 'request' && String(entry.file).endsWith('.json'))
    .map(entry => {
      const file = String(entry.file);
      const request = JSON.parse(readFileSync(resolve(dir, file), 'utf8'));
      return {
        ...(entry as object),
        ...request,
        file,
        body: readFileSync(resolve(dir, String(entry.body))),
      } as Recording;
    });
}

/** The headers to replay a recording with: all but those that belong to its connection. */
export function replayHeaders({ headers }: Recording): Record<string, string> {
  const own = new Set(['host', 'connection', 'transfer-encoding', 'content-length']);
  return Object.fromEntries(headers.filter(([name]) => !own.has(name.toLowerCase())));
}

export interface Malformed {
  readonly file: string;
  readonly format: string;
  readonly what: string;
  readonly expect: {
    readonly status: number;
    readonly reason?: string;
    readonly forwarded: boolean;
    readonly facts?: { readonly valueSums?: string[]; readonly samples?: number };
  };
  readonly bytes: Buffer;
}

/** Malformed and tricky inputs of these formats with the answers expected. */
export function malformed(...formats: string[]): Malformed[] {
  const dir = resolve(data, 'malformed');
  const manifest = JSON.parse(readFileSync(resolve(dir, 'MANIFEST.json'), 'utf8')) as {
    files: (Omit<Malformed, 'bytes'> & { bytes: number })[];
  };
  return manifest.files
    .filter(({ format }) => formats.includes(format))
    .map(entry => ({ ...entry, bytes: readFileSync(resolve(dir, entry.file)) }));
}
