import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type SecureContext,
} from 'node:tls';
import type { z } from 'zod';
import type { fields } from '../api/index.ts';

export type ClientTlsSettings = z.output<ReturnType<typeof fields.clientTls>>;
type FileKey = 'ca_file' | 'cert_file' | 'key_file';
const FILES: readonly FileKey[] = ['ca_file', 'cert_file', 'key_file'];

let roots: readonly string[] | undefined;
/** Who is trusted without being named: what Node brings and what the operator of this machine added. Read once, about 0.1 s. */
function systemRoots(): readonly string[] {
  roots ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
  return roots;
}

/** Towards a proxy: whom the store's settings trust, but not their name and not their certificate. */
export function proxyTls(
  { secure }: { readonly secure: boolean },
  store: ClientTlsSettings | undefined,
): ClientTls | undefined {
  if (!secure) return undefined;
  const settings = store && { ...store, cert_file: undefined, key_file: undefined, server_name_override: undefined };
  return new ClientTls(settings, ['http/1.1']);
}

/**
 * How one store is reached over TLS. Its files are looked at again at most every `reload_interval`; what changed counts for the
 * connections made from then on. Files that cannot be read or do not fit each other leave those in use which did: a rotation in two
 * steps passes.
 */
export class ClientTls {
  readonly #settings: ClientTlsSettings | undefined;
  readonly #protocols: string[];
  #context: SecureContext;
  #stamp: string;
  #checkedMs = performance.now();

  /** @param protocols ALPN, as `h2` @throws when a file cannot be read or holds no certificate or key */
  constructor(settings: ClientTlsSettings | undefined, protocols: readonly string[]) {
    this.#settings = settings;
    this.#protocols = [...protocols];
    this.#stamp = this.#look();
    this.#context = this.#load();
  }

  /** For a connection that is made now. */
  options(host: string): ConnectionOptions {
    this.#refresh();
    const name = this.#settings?.server_name_override ?? host;
    return {
      secureContext: this.#context,
      ALPNProtocols: this.#protocols,
      rejectUnauthorized: !this.#settings?.insecure_skip_verify,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      ...(!isIP(name) && { servername: name }),
    };
  }

  #refresh(): void {
    const now = performance.now();
    if (!this.#settings || now - this.#checkedMs < this.#settings.reload_interval) return;
    this.#checkedMs = now;
    try {
      const stamp = this.#look();
      if (stamp === this.#stamp) return;
      this.#context = this.#load();
      this.#stamp = stamp;
    } catch {
      // Looked at again after the interval; the store says itself when what is in use does not work any more.
    }
  }

  #paths(): string[] {
    return FILES.flatMap(key => this.#settings?.[key] ?? []);
  }

  #look(): string {
    return this.#paths()
      .map(path => {
        const { mtimeMs, size, ino } = statSync(path);
        return `${mtimeMs} ${size} ${ino}`;
      })
      .join();
  }

  #load(): SecureContext {
    const { ca_file, cert_file, key_file, min_version } = this.#settings ?? {};
    return createSecureContext({
      ca: [...systemRoots(), ...(ca_file === undefined ? [] : [readFileSync(ca_file)])],
      ...(cert_file !== undefined && { cert: readFileSync(cert_file) }),
      ...(key_file !== undefined && { key: readFileSync(key_file) }),
      minVersion: `TLSv${min_version ?? '1.2'}`,
    });
  }
}
