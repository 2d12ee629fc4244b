// What the text forms of before protobuf have in common: numbers, addresses, and what a wrong line is.
import { DecodeError } from '../decode-error.ts';
import { MAX_FRAMES } from '../pprof/limits.ts';
import { type TextLines, trimBlanks } from '../text-lines.ts';

const INTEGER = /^-?[0-9]{1,19}$/;
const HEX = /0x([0-9a-f]+)/g;
/** Hex digits of an address, and leading zeros that some writers add. */
const MAX_HEX = 32;

/** A sentence of what is wrong and where. */
export const badLine = (message: string, lines: TextLines) =>
  new DecodeError('bad_legacy', `${message}, at line ${lines.number}`);

/** Whether the line says nothing. */
export function isEmptyOrComment(line: string): boolean {
  const text = trimBlanks(line);
  return text === '' || text[0] === '#';
}

/** @throws DecodeError bad_legacy where it is no number of 64 bits */
export function int64(text: string, lines: TextLines): bigint {
  const value = INTEGER.test(text) ? BigInt(text) : undefined;
  if (value === undefined || BigInt.asIntN(64, value) !== value)
    throw badLine('a number is no number of 64 bits', lines);
  return value;
}

/** The whole part. @throws DecodeError value_overflow beyond 64 bits */
export function whole(value: number): bigint {
  if (!(Math.abs(value) < 2 ** 63)) throw new DecodeError('value_overflow', 'a value is beyond 64 bits');
  return BigInt(Math.trunc(value));
}

/** An address. @throws DecodeError bad_legacy where it has more than 64 bits */
export function address(hex: string, lines: TextLines): bigint {
  const value = hex.length > MAX_HEX ? -1n : BigInt(`0x${hex}`);
  if (BigInt.asUintN(64, value) !== value) throw badLine('an address has more than 64 bits', lines);
  return value;
}

/** All addresses in a text, in their order. @throws DecodeError too_deep, bad_legacy */
export function addresses(text: string, lines: TextLines): bigint[] {
  const found: bigint[] = [];
  for (const [, hex] of text.matchAll(HEX)) {
    checkDepth(found.length);
    found.push(address(hex!, lines));
  }
  return found;
}

/** Whether a stack may have one frame more. @throws DecodeError too_deep */
export function checkDepth(frames: number): void {
  if (frames >= MAX_FRAMES) throw new DecodeError('too_deep', `a stack has more than ${MAX_FRAMES} frames`);
}

/** Where a call returns to, as the instruction before it: where the call is. */
export const callOf = (returnAddress: bigint): bigint => BigInt.asUintN(64, returnAddress - 1n);

/** What comes before the memory map. */
export const isMapTitle = (line: string): boolean =>
  line.includes('--- Memory map: ---') || line.includes('MAPPED_LIBRARIES:');

/** Goes to the title of the memory map, from the line at hand on, or to the end. */
export function seekMap(lines: TextLines): void {
  while (!isMapTitle(lines.text) && lines.next());
}
