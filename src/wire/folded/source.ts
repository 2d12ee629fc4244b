import { isUtf8 } from 'node:buffer';
import { takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { NEWLINE } from './ascii.ts';

/** What a byte of UTF-16 takes while it is made UTF-8: the text in between, and up to three bytes for two. */
const TRANSCODED_PER_BYTE = 3;

/**
 * The text as UTF-8: what it is already, without a mark of its encoding, or made from UTF-16 with one. It is refused rather than repaired,
 * since a repaired name is another name.
 * @returns a view, or new bytes
 * @throws DecodeError bad_string
 */
export function sourceOf(raw: Uint8Array): Buffer {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return unmarked(transcoded(bytes, 'little'));
  if (first === 0xfe && second === 0xff) return unmarked(transcoded(bytes, 'big'));
  const text = unmarked(bytes);
  if (!isUtf8(text)) throw new DecodeError('bad_string', `the text is not valid UTF-8, at line ${badLineOf(text)}`);
  return text;
}

/** A text with a mark that was put behind another has two, and no frame begins with one. */
function unmarked(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) at += 3;
  return bytes.subarray(at);
}

function transcoded(bytes: Buffer, endian: 'little' | 'big'): Buffer {
  if (bytes.length % 2 !== 0) throw new DecodeError('bad_string', 'a text in UTF-16 ends inside a character');
  takeRoom(TRANSCODED_PER_BYTE * bytes.length);
  const text = (endian === 'little' ? bytes : Buffer.from(bytes).swap16()).toString('utf16le', 2);
  if (!text.isWellFormed()) throw new DecodeError('bad_string', 'the text is not valid UTF-16');
  return Buffer.from(text);
}

/** The first line that is not valid. */
function badLineOf(text: Buffer): number {
  let from = 0;
  for (let line = 1; ; line++) {
    const found = text.indexOf(NEWLINE, from);
    if (found < 0 || !isUtf8(text.subarray(from, found))) return line;
    from = found + 1;
  }
}
