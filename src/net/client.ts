import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Dispatcher, Pool } from 'undici';
import type { z } from 'zod';
import type { Auth, fields } from '../api/index.ts';
import { authorization } from './auth.ts';
import { classify } from './errno.ts';

/** What is kept of an answer, bytes: enough for any error text. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Connections to one store at a time. The outbox's consumers are the real bound. */
const DEFAULT_CONNECTIONS = 64;
const CONNECT_TIMEOUT_MS = 10_000;

export interface HttpAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** At most 64 KiB of it, Content-Encoding gzip undone. */
  readonly body: Buffer;
}
export interface HttpFailure {
  readonly kind: 'failure';
  readonly retryable: boolean;
  readonly error: Error;
}

export interface ClientConfig {
  readonly endpoint: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls?: z.output<ReturnType<typeof fields.clientTls>> | undefined;
  readonly auth?: Auth | undefined;
}

/**
 * Calls one store over kept connections. Chunks are written one after another without being put together, straight from shared
 * memory; they are not touched any more once `post` has answered.
 */
export class HttpClient {
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #authorization: (() => string) | undefined;

  constructor(config: ClientConfig, options: { connections?: number } = {}) {
    const { endpoint, tls } = config;
    this.#prefix = endpoint.pathname.replace(/\/$/, '');
    this.#headers = config.headers;
    this.#authorization = authorization(config.auth);
    this.#pool = new Pool(endpoint.origin, {
      connections: options.connections ?? DEFAULT_CONNECTIONS,
      // One request per connection at a time: a slow answer holds up nobody.
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: CONNECT_TIMEOUT_MS,
        ...(tls && {
          rejectUnauthorized: !tls.insecure_skip_verify,
          ...(tls.ca_file !== undefined && { ca: readFileSync(tls.ca_file) }),
          ...(tls.cert_file !== undefined && { cert: readFileSync(tls.cert_file) }),
          ...(tls.key_file !== undefined && { key: readFileSync(tls.key_file) }),
          ...(tls.server_name_override !== undefined && { servername: tls.server_name_override }),
        }),
      },
    });
  }

  /** One POST. Redirects are not followed. Never throws; `abort` ends it as a retryable failure. */
  post(
    path: string,
    query: string,
    headers: Readonly<Record<string, string>>,
    chunks: readonly Uint8Array[],
    abort: AbortSignal,
  ): Promise<HttpAnswer | HttpFailure> {
    return new Promise(resolve => {
      try {
        if (abort.aborted) throw abort.reason;
        let sizeBytes = 0;
        for (const chunk of chunks) sizeBytes += chunk.length;
        const all: Record<string, string> = { ...headers, ...this.#headers, 'content-length': String(sizeBytes) };
        if (this.#authorization) all.authorization = this.#authorization();
        const target = `${this.#prefix}${path}${query === '' ? '' : `?${query}`}`;
        this.#pool.dispatch(
          {
            method: 'POST',
            path: target,
            headers: all,
            body: chunks.length === 1 ? (chunks[0] as Buffer) : (chunks as unknown as Buffer),
          },
          new Exchange(resolve, abort),
        );
      } catch (thrown) {
        resolve({ kind: 'failure', ...classify(thrown) });
      }
    });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (outcome: HttpAnswer | HttpFailure) => void;
  readonly #abort: AbortSignal;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Record<string, string | undefined> = {};
  readonly #chunks: Buffer[] = [];
  #kept = 0;

  constructor(resolve: (outcome: HttpAnswer | HttpFailure) => void, abort: AbortSignal) {
    this.#resolve = resolve;
    this.#abort = abort;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#abort.aborted) this.#cut();
    else this.#abort.addEventListener('abort', this.#cut);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    for (const [name, value] of Object.entries(headers))
      this.#headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#kept >= MAX_ANSWER_BYTES) return;
    const part = Buffer.from(chunk.subarray(0, MAX_ANSWER_BYTES - this.#kept));
    this.#kept += part.length;
    this.#chunks.push(part);
  }

  onResponseEnd(): void {
    this.#abort.removeEventListener('abort', this.#cut);
    let body: Buffer = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    if (this.#headers['content-encoding'] === 'gzip' && body.length > 0) {
      try {
        body = gunzipSync(body, { maxOutputLength: MAX_ANSWER_BYTES });
      } catch {
        // An error text that does not inflate is not worth losing the status for.
        body = Buffer.alloc(0);
      }
    }
    this.#resolve({ kind: 'answer', status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#abort.removeEventListener('abort', this.#cut);
    this.#resolve({ kind: 'failure', ...classify(error) });
  }

  readonly #cut = (): void => {
    const { reason } = this.#abort;
    this.#controller?.abort(reason instanceof Error ? reason : new Error('aborted'));
  };
}

/** `Retry-After` in ms: seconds or an HTTP date (RFC 9110 section 10.2.3). */
export function retryAfterMs(
  headers: Readonly<Record<string, string | undefined>>,
  nowMs = Date.now(),
): number | undefined {
  const text = headers['retry-after']?.trim();
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
