import { createHash, createHmac } from 'node:crypto';

/** Hex digits: 64 bits, so that a billion texts share one by a chance of a few percent. */
const DIGITS = 16;

/**
 * A stand-in for a text: the same for the same text and salt, so that it can be joined and not read. Without a salt whoever can guess
 * the text can check the guess.
 */
export function pseudonym(text: string, salt: string | undefined): string {
  const hash = salt === undefined ? createHash('sha256') : createHmac('sha256', salt);
  return hash.update(text).digest('hex').slice(0, DIGITS);
}
