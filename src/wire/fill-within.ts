import { growingWithin, OutOfRoom } from '../model/columns/growth.ts';
import { DecodeError } from './decode-error.ts';

/**
 * Runs a decoder whose columns may take so much in all.
 * @param heldBytes what they take already
 * @throws DecodeError too_many_elements; and what `fill` throws
 */
export function fillWithin<T>(maxBytes: number, heldBytes: number, fill: () => T): T {
  try {
    return growingWithin(maxBytes - heldBytes, fill);
  } catch (error) {
    if (!(error instanceof OutOfRoom)) throw error;
    throw new DecodeError('too_many_elements', `the profile takes more than ${maxBytes} bytes decoded`);
  }
}
