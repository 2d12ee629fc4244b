// OTLP as files hold it: one request, or several as the Collector's file exporter writes them.
import type { OtlpWire } from '../../model/otlp.ts';
import type { Form } from '../../model/payload.ts';
import { DecodeError } from '../decode-error.ts';
import { formOf, isJsonText } from '../sniff.ts';

/** Requests in a file at most: whoever reads them keeps something for each. */
const MAX_REQUESTS = 10_000;
const LENGTH_BYTES = 4;
const NEWLINE = 0x0a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x09 || byte === NEWLINE || byte === 0x0d;

const tooMany = () => new DecodeError('too_large', `more than ${MAX_REQUESTS} requests in one file`);

/**
 * The form of a file: as `formOf`, and OTLP also where requests stand behind their lengths. No form begins with a zero byte and a length
 * that leads to the next.
 */
export const formOfFile = (file: Uint8Array): Form | undefined => (isFramed(file) ? 'otlp' : formOf(file));

export interface Requests {
  readonly wire: OtlpWire;
  /** Views. */
  readonly requests: readonly Uint8Array[];
  /** Whether they stand behind their lengths. */
  readonly isFramed: boolean;
}

/** The requests of a file of OTLP. @throws DecodeError too_large */
export function requestsOf(file: Uint8Array): Requests {
  if (isFramed(file)) return { wire: 'protobuf', requests: framesIn(file), isFramed: true };
  if (isJsonText(file)) return { wire: 'json', requests: documentsIn(file), isFramed: false };
  return { wire: 'protobuf', requests: [file], isFramed: false };
}

/**
 * Whether each message stands behind its length (four bytes, big-endian), as the Collector's file exporter writes protobuf, and the lengths
 * add up to the file.
 */
export function isFramed(file: Uint8Array): boolean {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let at = 0;
  while (file.length - at > LENGTH_BYTES) {
    const length = view.getUint32(at);
    if (length === 0) return false;
    at += LENGTH_BYTES + length;
  }
  return at > 0 && at === file.length;
}

/** @param file that `isFramed` */
function framesIn(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    if (frames.length === MAX_REQUESTS) throw tooMany();
    const from = at + LENGTH_BYTES;
    at = from + view.getUint32(at);
    frames.push(file.subarray(from, at));
  }
  return frames;
}

/**
 * The JSON objects of a text that has them on lines of their own, or the one that it is. Where a line ends between `}` and `{` a document
 * ends: within one a comma would stand there, and a string holds no newline. Nothing is read beyond that.
 * @throws DecodeError too_large
 */
export function documentsIn(text: Uint8Array): Uint8Array[] {
  const documents: Uint8Array[] = [];
  let from = 0;
  for (let line = text.indexOf(NEWLINE); line >= 0; line = text.indexOf(NEWLINE, line + 1)) {
    let before = line - 1;
    while (before >= from && isSpace(text[before])) before--;
    let after = line + 1;
    while (isSpace(text[after])) after++;
    const isBorder = before >= from && text[before] === CLOSE_BRACE && text[after] === OPEN_BRACE;
    if (isBorder) {
      if (documents.length === MAX_REQUESTS - 1) throw tooMany();
      documents.push(text.subarray(from, before + 1));
      from = after;
    }
    // Blank lines are gone over once.
    line = after - 1;
  }
  documents.push(text.subarray(from));
  return documents;
}
