import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Auth } from '../api/index.ts';

/** A token file is looked at again after this long, ms: a rotated token works soon, and a request costs no system call. */
const TOKEN_FILE_CHECK_MS = 1000;

/** A file that holds a token, read again when it changed. While it is gone or empty, as in the middle of a rotation, the last token counts. */
class TokenFile {
  readonly #path: string;
  #token = '';
  #modifiedMs = -1;
  #checkedMs = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws Error when no token could be read yet */
  read(): string {
    const now = performance.now();
    if (this.#token !== '' && now - this.#checkedMs <= TOKEN_FILE_CHECK_MS) return this.#token;
    this.#checkedMs = now;
    try {
      this.#look();
    } catch (error) {
      if (this.#token === '')
        throw new Error(`the token file cannot be read: ${(error as Error).message}`, { cause: error });
    }
    return this.#token;
  }

  #look(): void {
    const { mtimeMs } = statSync(this.#path);
    if (mtimeMs === this.#modifiedMs) return;
    const token = readFileSync(this.#path, 'utf8').trim();
    if (token === '') throw new Error(`${this.#path} is empty`);
    this.#token = token;
    this.#modifiedMs = mtimeMs;
  }
}

/** The value of an Authorization header, as the configuration says; undefined without `auth`. It throws while there is no token in `token_file`. */
export function authorization(auth: Auth | undefined): (() => string) | undefined {
  if (auth?.basic) {
    const { username, password } = auth.basic;
    const value = `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`;
    return () => value;
  }
  if (auth?.bearer?.token) {
    const value = `Bearer ${auth.bearer.token.reveal()}`;
    return () => value;
  }
  if (auth?.bearer?.token_file !== undefined) {
    const file = new TokenFile(auth.bearer.token_file);
    return () => `Bearer ${file.read()}`;
  }
  return undefined;
}

/** Whether a request's Authorization header is the expected one; takes the same time for any wrong one. */
export function authorized(expected: string, got: string | undefined): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  // The scheme is case-insensitive (RFC 9110 section 11.1), what follows is not.
  const normal = (got ?? '').replace(/^(basic|bearer) +/i, (_all, scheme: string) =>
    /b.s/i.test(scheme) ? 'Basic ' : 'Bearer ',
  );
  return timingSafeEqual(digest(expected), digest(normal));
}

/** What to ask an unauthorised client for. */
export function challenge(auth: Auth): string {
  return auth.basic ? 'Basic realm="flamegate"' : 'Bearer realm="flamegate"';
}
