import type { Profile } from '../model/batch.ts';
import type { Payload } from '../model/payload.ts';
import { inflatedSize } from '../wire/gzip.ts';
import { skeletonFor } from '../wire/otlp/skeleton.ts';

/** Bytes of a profile on its own: of a part of an OTLP request, with its share of the dictionary. @throws DecodeError as `skeletonOf` */
export function sizeAlone({ payload, part }: Profile): number {
  if (payload.form !== 'otlp') return payload.bytes.length;
  const { parts, dictionary } = skeletonFor(payload);
  const { start, end } = parts[part] ?? { start: 0, end: 0 };
  return end - start + (dictionary ? Math.ceil((dictionary.end - dictionary.start) / parts.length) : 0);
}

/** What a payload says that it inflates to; who wrote it may lie. */
export function inflatedSizeOf({ bytes, encoding }: Payload): number {
  return inflatedSize(bytes, encoding);
}
