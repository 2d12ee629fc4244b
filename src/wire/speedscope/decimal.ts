import { DecodeError } from '../decode-error.ts';
import type { JsonCursor } from '../json-cursor.ts';

const NUMBER = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
/** Digits of 2^63 - 1. */
const MAX_DIGITS = 19;
/** Digits that a double surely holds. */
const SAFE_DIGITS = 15;
const ZEROS = '0'.repeat(MAX_DIGITS);

/** Decimal numbers as whole ones, exact: a double would make 0.07 s 70000000.00000001 ns. */
export class Decimals {
  readonly #digits: number;
  /** How many were not whole. */
  rounded = 0;

  /** @param digits decimal places that numbers move to the left of the point, 0 to 9 */
  constructor(digits: number) {
    this.#digits = digits;
  }

  /** The number that stands at the cursor, rounded half to even. @throws DecodeError bad_json, bad_value beyond 64 bits */
  read(cursor: JsonCursor): bigint {
    const small = cursor.smallNumber();
    if (small >= 0) return this.#digits === 0 ? BigInt(small) : BigInt(small) * 10n ** BigInt(this.#digits);
    if (cursor.isString()) throw new DecodeError('bad_value', 'a string stands where a number should be');
    return this.parse(cursor.numberText());
  }

  /** The same for the text of a JSON number. */
  parse(text: string): bigint {
    const point = text.indexOf('.');
    const moved = this.#digits - (text.length - 1 - point);
    // What producers write: `0.01`. A sign or an exponent makes the number below NaN or negative.
    if (point > 0 && moved >= 0 && text.length - 1 + moved <= SAFE_DIGITS) {
      const number = Number(text.slice(0, point) + text.slice(point + 1)) * 10 ** moved;
      if (number > 0 && !/[eE]/.test(text)) return BigInt(number);
    }
    return this.#anyForm(text);
  }

  #anyForm(text: string): bigint {
    const [, sign, whole, fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
    if (whole === undefined) throw new DecodeError('bad_value', 'a value is no number');
    const digits = (whole + fraction).replace(/^0+/, '');
    if (digits === '') return 0n;
    const shift = Number(exponent) + this.#digits - fraction.length;
    if (digits.length + shift > MAX_DIGITS) throw tooLarge();
    const size = shift >= 0 ? BigInt(digits + ZEROS.slice(0, shift)) : this.#round(digits, -shift);
    const value = sign === '-' ? -size : size;
    if (BigInt.asIntN(64, value) !== value) throw tooLarge();
    return value;
  }

  /** @param places how many digits at the end lie behind the point, maybe more than there are */
  #round(digits: string, places: number): bigint {
    const cut = Math.max(0, digits.length - places);
    const kept = BigInt(digits.slice(0, cut) || '0');
    const rest = digits.slice(cut);
    if (!/[1-9]/.test(rest)) return kept;
    this.rounded++;
    if (places > digits.length) return kept;
    const isHalf = /^50*$/.test(rest);
    const isUp = isHalf ? (kept & 1n) === 1n : rest[0]! >= '5';
    return isUp ? kept + 1n : kept;
  }
}

const tooLarge = () => new DecodeError('bad_value', 'a value is beyond 64 bits');
