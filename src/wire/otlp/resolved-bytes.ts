import { DecodeError } from '../decode-error.ts';

/**
 * Bytes of strings, UTF-8, that all references in the attributes of a request may stand for: of its resources, its scopes, and its
 * attribute table. 64 MiB is the longest request that OTLP recommends to take, and so what the same request could weigh without
 * references. Without a bound 4000 references of 4 bytes to one string of 1 MB are 4 GB.
 */
export const MAX_RESOLVED_BYTES = 64 * 1024 * 1024;

/** Adds up what the references of a request stand for, without a string being made. */
export class ResolvedBytes {
  readonly #lengthAt: (row: number) => number;
  #total = 0;
  /** Whether there was any reference. */
  any = false;

  /** @param lengthAt bytes of the string in a row; 0 where there is no such row, which its reader refuses. Asked per reference */
  constructor(lengthAt: (row: number) => number) {
    this.#lengthAt = lengthAt;
  }

  /** @throws DecodeError too_large */
  add(row: number): void {
    this.any = true;
    this.#total += this.#lengthAt(row);
    if (this.#total > MAX_RESOLVED_BYTES)
      throw new DecodeError(
        'too_large',
        `references in attributes stand for more than ${MAX_RESOLVED_BYTES} bytes of strings; send fewer, or shorter strings`,
      );
  }
}
