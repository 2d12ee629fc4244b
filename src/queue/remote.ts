import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Plan } from '../config/plan.ts';
import { authorization } from '../net/auth.ts';
import { parseEndpoint } from '../net/endpoint.ts';
import {
  type EntriesPage,
  type PurgePage,
  type QueueOperations,
  QueueProblem,
  type QueueTally,
  type ReplayPage,
  type Selection,
  type VerifyPage,
} from '../pipeline/outbox/operations.ts';

/** An answer must begin within this, ms. One step takes milliseconds; a disk that hangs takes what it takes. */
const ANSWER_MS = 30_000;

type Query = Readonly<Record<string, string | number | undefined>>;

/** Operations on the file of a running gateway, through its admin port. */
export class RemoteOperations implements QueueOperations {
  readonly file: string;
  readonly base: URL;
  readonly #headers: Record<string, string>;
  readonly #agent: Agent;

  /** @param admin where the gateway's admin port is, as the configuration says. @throws Error when that is no place to go to */
  constructor(file: string, admin: Plan['telemetry']['admin']) {
    this.file = file;
    this.base = adminUrl(admin.endpoint, admin.tls !== undefined);
    const own = authorization(admin.auth)?.();
    const credentials = admin.token ? `Bearer ${admin.token.reveal()}` : own;
    this.#headers = credentials === undefined ? {} : { authorization: credentials };
    // Exactly the certificate that the configuration serves is trusted, under whatever name it was made out.
    this.#agent = admin.tls
      ? new TlsAgent({
          keepAlive: true,
          ca: readFileSync(admin.tls.cert_file),
          // Where the port wants one of its clients too, the gateway's own is all that its configuration knows.
          ...(admin.tls.client_ca_file !== undefined && {
            cert: readFileSync(admin.tls.cert_file),
            key: readFileSync(admin.tls.key_file),
          }),
          allowPartialTrustChain: true,
          checkServerIdentity: () => undefined,
        })
      : new Agent({ keepAlive: true });
  }

  async tally(): Promise<readonly QueueTally[]> {
    const { files } = await this.#json<{ files: { file: string; queues: QueueTally[] }[] }>('GET', '', {});
    const own = files.find(({ file }) => file === this.file) ?? (files.length === 1 ? files[0] : undefined);
    if (!own) throw new Error(`the gateway at ${this.base.origin} does not have ${this.file} open`);
    return own.queues;
  }

  entries(selection: Selection, after: number, limit: number): Promise<EntriesPage> {
    return this.#json('GET', '/entries', { ...queryOf(selection), after, limit });
  }

  async payload(entry: number): Promise<Uint8Array | undefined> {
    const { status, body } = await this.#call('GET', '/payload', { entry });
    if (status === 404 && codeOf(body) === 'gone') return undefined;
    if (status !== 200) throw problemOf(status, body, this.base);
    return body;
  }

  replay(selection: Selection, to: string, keep: boolean, after: number): Promise<ReplayPage> {
    return this.#json('POST', '/replay', { ...queryOf(selection), to, keep: String(keep), after });
  }

  purge(selection: Selection, after: number): Promise<PurgePage> {
    return this.#json('POST', '/purge', { ...queryOf(selection), after });
  }

  verify(after: number): Promise<VerifyPage> {
    return this.#json('GET', '/verify', { after });
  }

  close(): void {
    this.#agent.destroy();
  }

  async #json<T>(method: string, path: string, query: Query): Promise<T> {
    const { status, body } = await this.#call(method, path, query);
    if (status !== 200) throw problemOf(status, body, this.base);
    return JSON.parse(body.toString()) as T;
  }

  #call(method: string, path: string, query: Query): Promise<{ status: number; body: Buffer }> {
    const given = Object.entries({ file: this.file, ...query }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const url = new URL(`/api/v1/queues${path}?${new URLSearchParams(given)}`, this.base);
    const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) =>
        reject(
          new Error(
            `${this.file} is in use, and no gateway answers at ${this.base.origin} (${error.code ?? error.message}); is that its service.telemetry.admin.endpoint?`,
            { cause: error },
          ),
        );
      const headers = { ...this.#headers, ...(method === 'POST' && { 'content-length': '0' }) };
      const outgoing = send(url, { method, headers, agent: this.#agent, timeout: ANSWER_MS }, incoming => {
        collect(incoming).then(body => resolve({ status: incoming.statusCode ?? 0, body }), failed);
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
      outgoing.on('error', failed);
      outgoing.end();
    });
  }
}

async function collect(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function queryOf({ queue, state, sinceMs, untilMs }: Selection): Query {
  return { queue, state: state ?? 'all', since: sinceMs, until: untilMs };
}

/** What listens on all addresses is called at the loopback one, where the token goes to nobody else. */
function adminUrl(endpoint: string, tls: boolean): URL {
  const { host, port } = parseEndpoint(endpoint);
  if (port === 0)
    throw new Error(
      'service.telemetry.admin.endpoint has port 0, so that nobody knows where the gateway listens; give it a port',
    );
  const anywhere = host === '' || host === '0.0.0.0' || host === '::';
  const name = anywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return new URL(`${tls ? 'https' : 'http'}://${name}:${port}`);
}

function read(body: Buffer): { code?: string; message?: string } {
  try {
    return JSON.parse(body.toString()) as { code?: string; message?: string };
  } catch {
    return {};
  }
}
const codeOf = (body: Buffer): string | undefined => read(body).code;

function problemOf(status: number, body: Buffer, base: URL): Error {
  const { code, message } = read(body);
  if (code === 'no_such_queue' || code === 'damaged') return new QueueProblem(code, message ?? '');
  if (code === undefined && status === 404)
    return new Error(`what listens at ${base.origin} knows nothing of queues; is it a flamegate of this version?`);
  const line = message ?? body.toString().trim().split('\n', 1)[0];
  return new Error(`the gateway at ${base.origin} answered ${status}: ${line}`);
}
