import { readFileSync } from 'node:fs';

// Arrows point down, so this room cannot ask the assembly for its version; the package itself can be asked from anywhere.
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const USER_AGENT = `flamegate/${version}`;

/** What each request to the store says beside its content type; names that the configuration sets, however spelled, are left to it. */
export class OwnHeaders {
  readonly #configured: ReadonlySet<string>;

  constructor(configured: Readonly<Record<string, string>>) {
    this.#configured = new Set(Object.keys(configured).map(name => name.toLowerCase()));
  }

  /** @param tenant of the batch; '' when the sender named none */
  for(tenant: string, contentType: string): Record<string, string> {
    const headers: Record<string, string> = { 'content-type': contentType };
    if (!this.#configured.has('user-agent')) headers['user-agent'] = USER_AGENT;
    if (tenant !== '' && !this.#configured.has('x-scope-orgid')) headers['x-scope-orgid'] = tenant;
    return headers;
  }
}
