import { randomBytes } from 'node:crypto';
import { DecodeError } from './decode-error.ts';

/** SDKs send up to 3 parts. */
const MAX_PARTS = 8;
/** Longest head of one part, bytes. */
const MAX_PART_HEAD_BYTES = 4096;

/** One part of a form (RFC 7578). `data` is a view on the body. */
export interface Part {
  readonly name: string;
  readonly filename?: string;
  readonly contentType?: string;
  readonly data: Buffer;
}

function bad(message: string): DecodeError {
  return new DecodeError('bad_multipart', message);
}

/**
 * Parts by name, without a copy. A preamble (RFC 2046 §5.1.1) is passed over within bounds.
 * @param body may lie in shared memory
 * @throws DecodeError bad_multipart
 */
export function parseMultipart(body: Buffer, contentType: string): Map<string, Part> {
  const match = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))/i.exec(contentType);
  if (!match) throw bad('the content type has no multipart boundary');
  const delimiter = Buffer.from(`\r\n--${match[1] ?? match[2]}`, 'latin1');
  const parts = new Map<string, Part>();
  for (let at = afterFirst(body, delimiter); ; ) {
    if (body[at] === 0x2d && body[at + 1] === 0x2d) return parts;
    while (body[at] === 0x20 || body[at] === 0x09) at++;
    if (body[at] !== 0x0d || body[at + 1] !== 0x0a) throw bad('a boundary line is malformed');
    if (parts.size >= MAX_PARTS) throw bad(`more than ${MAX_PARTS} parts`);
    at += 2;
    const headLength = body.subarray(at, at + MAX_PART_HEAD_BYTES).indexOf('\r\n\r\n');
    if (headLength < 0) throw bad('the head of a part is too long or has no end');
    const start = at + headLength + 4;
    const end = body.indexOf(delimiter, start);
    if (end < 0) throw bad('a part has no end');
    const part = parsePart(body.toString('utf8', at, at + headLength), body.subarray(start, end));
    if (parts.has(part.name)) throw bad('two parts have the same name');
    parts.set(part.name, part);
    at = end + delimiter.length;
  }
}

/** Where the first boundary ends: at the very beginning, or behind a preamble no longer than a part's head. */
function afterFirst(body: Buffer, delimiter: Buffer): number {
  const bare = delimiter.subarray(2);
  if (body.subarray(0, bare.length).equals(bare)) return bare.length;
  const found = body.subarray(0, MAX_PART_HEAD_BYTES).indexOf(delimiter);
  if (found < 0) throw bad('the body does not begin with the boundary');
  return found + delimiter.length;
}

function parsePart(head: string, data: Buffer): Part {
  const disposition = /^content-disposition:[ \t]*form-data[ \t]*((?:;.*)?)$/im.exec(head)?.[1];
  const parameters = new Map<string, string>();
  // In order and from the first one on, so that a quoted filename cannot pass for a name.
  for (const [, key, quoted, bare] of (disposition ?? '').matchAll(
    /;[ \t]*([A-Za-z0-9*_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))[ \t]*/gy,
  ))
    if (!parameters.has(key!.toLowerCase())) parameters.set(key!.toLowerCase(), quoted ?? bare ?? '');
  const name = parameters.get('name');
  if (!name) throw bad('a part has no name');
  const filename = parameters.get('filename');
  const contentType = /^content-type:[ \t]*(\S.*?)[ \t]*$/im.exec(head)?.[1];
  return { name, data, ...(filename !== undefined && { filename }), ...(contentType !== undefined && { contentType }) };
}

/** What would end the quoted text or the line, as browsers write it. */
function quotable(text: string): string {
  return text.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** A form around these bytes, which are not copied: send the chunks one after another. */
export function buildMultipart(
  parts: readonly { name: string; filename?: string; contentType?: string; data: Uint8Array }[],
): { contentType: string; chunks: Uint8Array[]; sizeBytes: number } {
  const boundary = randomBytes(24).toString('hex');
  const chunks: Uint8Array[] = [];
  let before = '';
  for (const { name, filename, contentType, data } of parts) {
    const file = filename === undefined ? '' : `; filename="${quotable(filename)}"`;
    const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
    chunks.push(
      Buffer.from(
        `${before}--${boundary}\r\nContent-Disposition: form-data; name="${quotable(name)}"${file}\r\n${type}\r\n`,
      ),
      data,
    );
    before = '\r\n';
  }
  chunks.push(Buffer.from(`${before}--${boundary}--\r\n`));
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { contentType: `multipart/form-data; boundary=${boundary}`, chunks, sizeBytes };
}
