import type { Component, Host, Profile, ProfileBatch, Result, Sender } from '../../api/index.ts';
import { HttpClient } from '../../net/client.ts';
import { renameQuery } from '../../wire/pyroscope/ingest.ts';
import { resultOf } from './answer.ts';
import type { Config } from './config.ts';
import { doorFor, tenantHeader } from './door.ts';
import { ingestBody } from './ingest.ts';
import { pushBody } from './push.ts';

const PUSH_PATH = '/push.v1.PusherService/Push';

/** Sends each profile of a batch as a request of its own and says which are still owed. */
export class PyroscopeExporter implements Component, Sender<'profiles'> {
  readonly #config: Config;
  readonly #host: Host;
  #client: HttpClient | undefined;

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#host = host;
  }

  async start(): Promise<void> {
    this.#client = new HttpClient(this.#config);
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  async send(batch: ProfileBatch, abort: AbortSignal): Promise<Result<ProfileBatch>> {
    const owed: Profile[] = [];
    const rejected: Extract<Result, { kind: 'permanent' }>[] = [];
    let retry: Extract<Result, { kind: 'retryable' }> | undefined;
    for (const profile of batch.profiles) {
      // Once the store fails, the rest waits with the one that failed: in order, and without hammering.
      const result = retry ?? (await this.#sendOne(batch, profile, abort));
      if (result.kind === 'retryable') {
        retry = result;
        owed.push(profile);
      } else if (result.kind === 'permanent') rejected.push(result);
    }
    if (retry) {
      // What was rejected beside it is not owed any more; it is said here, since a retry cannot carry drops.
      for (const { error } of rejected) this.#host.log.error('profile rejected by the store', { error });
      if (owed.length === batch.profiles.length) return retry;
      return { ...retry, rest: { ...batch, profiles: owed, sizeBytes: sizeOf(owed) } };
    }
    if (rejected.length === 0) return { kind: 'accepted' };
    if (rejected.length === batch.profiles.length) return rejected[0]!;
    return {
      kind: 'accepted',
      drops: rejected.map(({ error }) => ({ items: 1, reason: 'rejected', message: error.message })),
    };
  }

  async #sendOne(
    batch: ProfileBatch,
    profile: Profile,
    abort: AbortSignal,
  ): Promise<Exclude<Result, { kind: 'refused' }>> {
    const client = this.#client;
    if (!client) return { kind: 'retryable', error: new Error('the exporter is not running') };
    const summary = () => this.#host.summary(profile);
    const door = await doorFor(this.#config, profile, summary, renameQuery);
    if (!door)
      return {
        kind: 'permanent',
        error: new Error(
          `a ${profile.payload.form} profile goes by /ingest only, and its labels cannot be written in the name of /ingest`,
        ),
        fault: 'gateway',
      };
    const { contentType, chunks } =
      door.kind === 'ingest' ? ingestBody(profile, door.query) : await pushBody(this.#config, batch, profile, summary);
    const headers: Record<string, string> = {
      'content-type': contentType,
      ...tenantHeader(batch, this.#config.headers),
    };
    if (door.kind === 'push') headers['connect-protocol-version'] = '1';
    const answer = await client.post(
      door.kind === 'ingest' ? '/ingest' : PUSH_PATH,
      door.kind === 'ingest' ? door.query : '',
      headers,
      chunks,
      abort,
    );
    const { result, meaning } = resultOf(answer);
    if (meaning === 'access') this.#host.report('degraded', result.kind === 'retryable' ? result.error : undefined);
    return result as Exclude<Result, { kind: 'refused' }>;
  }
}

function sizeOf(profiles: readonly Profile[]): number {
  let size = 0;
  for (const { payload, origin } of profiles) {
    size += payload.bytes.length;
    for (const part of Object.values(origin?.parts ?? {})) size += part.length;
  }
  return size;
}
