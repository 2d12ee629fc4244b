import type { Losses } from '../wire/convert/losses.ts';
import { mergeOtlp } from '../wire/otlp/merge.ts';
import { receiveOtlp } from '../wire/otlp/receive.ts';
import { requestsOf } from '../wire/otlp/requests.ts';
import { wireVersionOf } from '../wire/otlp/version.ts';

export interface OtlpFile {
  /** Of all requests in the file, in the 1.10 layout. */
  readonly request: Uint8Array;
  /** What the file is: `OTLP 1.8, 2 requests behind their lengths`. */
  readonly version: string;
}

/** @throws DecodeError as `receiveOtlp` and `requestsOf` */
export function readOtlpFile(raw: Uint8Array, losses: Losses): OtlpFile {
  const { wire, requests, isFramed } = requestsOf(raw);
  const versions = new Set<string>();
  const upgraded = requests.map(request => {
    if (wire === 'protobuf') versions.add(wireVersionOf(request, 'auto'));
    const received = receiveOtlp(request, { signal: 'profiles', wire, version: 'auto', validate: 'full' });
    for (const { items } of received.losses ?? []) losses.add('otlp_1_8_comment', items);
    return received.rewritten ?? request;
  });
  const how = `${requests.length} ${isFramed ? 'requests behind their lengths' : 'requests, one a line'}`;
  const version = [
    wire === 'json' ? 'OTLP JSON' : `OTLP ${[...versions].join(' and ')}`,
    ...(requests.length > 1 || isFramed ? [how] : []),
  ].join(', ');
  return { request: upgraded.length === 1 ? upgraded[0]! : mergeOtlp(upgraded), version };
}
