import { Reader } from '../protobuf.ts';
import { Checker, TABLE_COUNT } from './checker.ts';
import { REQUESTS } from './schema.ts';

const RESOURCE_SPANS = 1;
const SCOPE_SPANS = 2;
const SPANS = 2;

/**
 * Checks an ExportTraceServiceRequest down to its leaves: protobuf, UTF-8, lengths of ids, and how deep attribute values lie. Rows of a
 * dictionary, which traces do not have, may be any. @throws DecodeError bad_protobuf, bad_string, id_length, too_deep
 */
export function examineTraces(bytes: Uint8Array): { readonly spans: number } {
  new Checker(bytes, new Int32Array(TABLE_COUNT).fill(-1)).message(REQUESTS.traces, 0, bytes.length);
  let spans = 0;
  const reader = new Reader(bytes);
  reader.each(RESOURCE_SPANS, () =>
    reader.each(SCOPE_SPANS, () =>
      reader.each(SPANS, () => {
        spans++;
        reader.at = reader.end;
      }),
    ),
  );
  return { spans };
}
