import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type Server, type TlsOptions } from 'node:tls';
import type { ServerTls } from '../api/index.ts';

/** Time for a TLS handshake, ms. */
const HANDSHAKE_MS = 10_000;
/** Where `reload_interval` is not said, ms. */
const RELOAD_INTERVAL_MS = 10_000;
/** What the files are to TLS. */
const FILES = { cert_file: 'cert', key_file: 'key', client_ca_file: 'ca' } as const;
type FileKey = keyof typeof FILES;
type Contents = Partial<Record<(typeof FILES)[FileKey], Buffer>>;

/** The certificates of a port, read again when their files change. Connections that there are keep theirs. */
export class Certificates {
  readonly #tls: ServerTls;
  readonly #paths: readonly (readonly [FileKey, string])[];
  /** Times and sizes of the files when they were last read, good or bad. */
  #version: string;
  #checkedMs = performance.now();
  #checking = false;
  readonly options: TlsOptions;

  /** @throws Error which file cannot be read or used */
  constructor(tls: ServerTls) {
    this.#tls = tls;
    this.#paths = (Object.keys(FILES) as FileKey[]).flatMap(key => (tls[key] === undefined ? [] : [[key, tls[key]]]));
    const contents: Contents = {};
    const versions: string[] = [];
    for (const [key, path] of this.#paths)
      try {
        const { mtimeMs, size } = statSync(path);
        versions.push(`${mtimeMs} ${size}`);
        contents[FILES[key]] = readFileSync(path);
      } catch (error) {
        throw new Error(`tls.${key} cannot be read: ${(error as Error).message}`, { cause: error });
      }
    this.#version = versions.join();
    this.options = {
      ...this.#secure(contents),
      handshakeTimeout: HANDSHAKE_MS,
      ALPNProtocols: ['h2', 'http/1.1'],
      ...(tls.client_ca_file !== undefined && { requestCert: true, rejectUnauthorized: true }),
    };
    this.#check(this.options);
  }

  /**
   * Called now and then.
   * @returns whether a change was taken over; undefined when there was none
   * @throws Error why it was not: what there was goes on, and the same files are not tried again
   */
  async refresh(server: Server, nowMs: number): Promise<boolean | undefined> {
    const everyMs = this.#tls.reload_interval ?? RELOAD_INTERVAL_MS;
    if (everyMs === 0 || this.#checking || nowMs - this.#checkedMs < everyMs) return undefined;
    this.#checking = true;
    this.#checkedMs = nowMs;
    try {
      const version = await this.#look();
      if (version === this.#version) return undefined;
      this.#version = version;
      const contents: Contents = {};
      for (const [key, path] of this.#paths) contents[FILES[key]] = await readFile(path);
      const options = this.#secure(contents);
      this.#check(options);
      server.setSecureContext(options);
      return true;
    } finally {
      this.#checking = false;
    }
  }

  /** A file that is not there is a version too: it is told once. */
  async #look(): Promise<string> {
    const versions = await Promise.all(
      this.#paths.map(([, path]) =>
        stat(path).then(
          ({ mtimeMs, size }) => `${mtimeMs} ${size}`,
          () => 'none',
        ),
      ),
    );
    return versions.join();
  }

  #secure(contents: Contents): TlsOptions {
    return { ...contents, minVersion: this.#tls.min_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2' };
  }

  #check(options: TlsOptions): void {
    try {
      createSecureContext(options);
    } catch (error) {
      const files = this.#paths.map(([key]) => `tls.${key}`).join(', ');
      throw new Error(`${files} cannot be used together: ${(error as Error).message}`, { cause: error });
    }
  }
}
