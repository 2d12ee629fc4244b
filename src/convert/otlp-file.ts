// OTLP as files hold it: one request, or several as the Collector's file exporter writes them.
import type { OtlpWire } from '../model/otlp.ts';
import type { Losses } from '../wire/convert/losses.ts';
import { mergeOtlp } from '../wire/otlp/merge.ts';
import { receiveOtlp } from '../wire/otlp/receive.ts';
import { wireVersionOf } from '../wire/otlp/version.ts';
import { isJsonText } from '../wire/sniff.ts';

const LENGTH_BYTES = 4;
const NEWLINE = 0x0a;
const OPEN = 0x7b;
const CLOSE = 0x7d;

export interface OtlpFile {
  /** Of all requests in the file, in the 1.10 layout. */
  readonly request: Uint8Array;
  /** What the file is: `OTLP 1.8, 2 requests behind their lengths`. */
  readonly version: string;
}

/**
 * @param frames as `framesOf` found them
 * @throws DecodeError as `receiveOtlp`
 */
export function readOtlpFile(raw: Uint8Array, frames: readonly Uint8Array[] | undefined, losses: Losses): OtlpFile {
  const wire: OtlpWire = frames === undefined && isJsonText(raw) ? 'json' : 'protobuf';
  const requests = frames ?? (wire === 'json' ? jsonLines(raw) : [raw]);
  const versions = new Set<string>();
  const upgraded = requests.map(request => {
    if (wire === 'protobuf') versions.add(wireVersionOf(request, 'auto'));
    const received = receiveOtlp(request, { signal: 'profiles', wire, version: 'auto', validate: 'full' });
    for (const { items } of received.losses ?? []) losses.add('otlp_1_8_comment', items);
    return received.rewritten ?? request;
  });
  const how = frames ? `${frames.length} requests behind their lengths` : `${requests.length} requests, one a line`;
  const version = [
    wire === 'json' ? 'OTLP JSON' : `OTLP ${[...versions].join(' and ')}`,
    ...(requests.length > 1 || frames ? [how] : []),
  ].join(', ');
  return { request: upgraded.length === 1 ? upgraded[0]! : mergeOtlp(upgraded), version };
}

/**
 * The messages of a file in which each stands behind its length (four bytes, big-endian), as the Collector's file exporter writes
 * protobuf; undefined where the lengths do not add up to the file. No form begins with a zero byte and a length that does.
 */
export function framesOf(raw: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < raw.length; ) {
    if (raw.length - at < LENGTH_BYTES) return undefined;
    const length = view.getUint32(at);
    at += LENGTH_BYTES;
    if (length === 0 || length > raw.length - at) return undefined;
    frames.push(raw.subarray(at, at + length));
    at += length;
  }
  return frames;
}

/** One request a line, where each line is a whole one; else all of it. */
function jsonLines(raw: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < raw.length; ) {
    const found = raw.indexOf(NEWLINE, from);
    const to = found < 0 ? raw.length : found;
    let end = to;
    while (end > from && raw[end - 1]! <= 0x20) end--;
    if (end > from) {
      if (raw[from] !== OPEN || raw[end - 1] !== CLOSE) return [raw];
      lines.push(raw.subarray(from, end));
    }
    from = to + 1;
  }
  return lines;
}
