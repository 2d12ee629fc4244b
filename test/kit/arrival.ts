// Profiles in requests of the two Pyroscope doors, whoever sent them: read without anything of src.
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { type Facts, factsOf, pushed } from './pprof.ts';

interface Carried {
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Arrival extends Facts {
  readonly service: string;
  /** Profile name, where the door says it. */
  readonly name: string | undefined;
  /** Labels that the program set: no reserved ones (`__…__`) and not the spy, which only one of the doors spells as a label. */
  readonly labels: Readonly<Record<string, string>>;
  /** SHA-256 of the profile with compression undone. */
  readonly sha256: string;
}

const inflated = (bytes: Buffer): Buffer => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);

/** SHA-256 of a profile with compression undone: the same whoever compressed it. */
export const contentHash = (bytes: Buffer): string => createHash('sha256').update(inflated(bytes)).digest('hex');

/** Parts of a multipart body by field name; undefined for any other content type. */
export function partsOf({ headers, body }: Pick<Carried, 'headers' | 'body'>): Map<string, Buffer> | undefined {
  const boundary = /boundary="?([^";]+)/.exec(String(headers['content-type'] ?? ''))?.[1];
  if (boundary === undefined) return undefined;
  const parts = body
    .toString('latin1')
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part): [string, Buffer] => {
      const end = part.indexOf('\r\n\r\n');
      const name = /[; ]name="([^"]*)"/.exec(part.slice(0, end))?.[1] ?? '';
      return [name, Buffer.from(part.slice(end + 4, -2), 'latin1')];
    });
  return new Map(parts);
}

/** `app{k=v,…}` taken apart. */
export function seriesOf(name: string): { app: string; labels: Record<string, string> } {
  const [, app = name, inner = ''] = /^([^{]*)\{(.*)\}$/s.exec(name) ?? [];
  const pairs = inner
    .split(',')
    .filter(Boolean)
    .map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return { app, labels: Object.fromEntries(pairs) };
}

const given = (labels: Iterable<readonly [string, string]>): Record<string, string> =>
  Object.fromEntries(
    [...labels].filter(([key]) => !key.startsWith('__') && key !== 'service_name' && key !== 'pyroscope_spy').sort(),
  );

/** The pprof profiles in a request to `/ingest` or push.v1. */
export function arrivalsIn(request: Carried): Arrival[] {
  if (request.path.endsWith('/Push')) {
    const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(request.body) : request.body;
    return pushed(body).map(({ labels, rawProfile }) => ({
      ...factsOf(rawProfile),
      service: labels.get('service_name') ?? '',
      name: labels.get('__name__'),
      labels: given(labels),
      sha256: contentHash(rawProfile),
    }));
  }
  const { app, labels } = seriesOf(new URLSearchParams(request.query).get('name') ?? '');
  const profile = partsOf(request)?.get('profile') ?? request.body;
  return [
    {
      ...factsOf(profile),
      service: app,
      name: undefined,
      labels: given(Object.entries(labels)),
      sha256: contentHash(profile),
    },
  ];
}
