import { getSystemErrorMessage } from 'node:util';
import { DecodeError } from '../wire/decode-error.ts';

/** Exit codes: as those of cli.ts. */
export const DONE = 0;
export const FAILED = 1;
export const MISUSED = 2;

/** What was asked for cannot be done: a sentence for people, and the exit code. */
export class Refusal extends Error {
  readonly code: number;
  constructor(message: string, code = FAILED) {
    super(message);
    this.code = code;
  }
}

/** What the system, or a codec, said of a file, as a sentence that names it. Anything else is a mistake of ours and stays what it is. */
export function refusalOf(file: string, error: unknown): unknown {
  if (error instanceof DecodeError) return new Refusal(`${file}: ${error.message} (${error.reason})`);
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error : new Refusal(`${file}: ${getSystemErrorMessage(errno)}`);
}
