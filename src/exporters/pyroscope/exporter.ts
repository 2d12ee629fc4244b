import {
  type Component,
  counters,
  type Host,
  type Instrument,
  type Profile,
  type ProfileBatch,
  type Result,
  type Sender,
} from '../../api/index.ts';
import { sizeOfProfiles } from '../../model/batch.ts';
import { HttpClient } from '../../net/client.ts';
import { OwnHeaders } from '../../net/own-headers.ts';
import { resultOf } from './answer.ts';
import type { Config } from './config.ts';
import { doorFor } from './door.ts';
import { ingestBody } from './ingest.ts';
import { pushBody } from './push.ts';

const INGEST_PATH = '/ingest';
const PUSH_PATH = '/push.v1.PusherService/Push';

/** A store never says `refused`: that word is ours. */
type Outcome = Exclude<Result, { kind: 'refused' }>;
type Rejected = Extract<Result, { kind: 'permanent' }>;

/** Sends each profile of a batch as a request of its own and says which are still owed. */
export class PyroscopeExporter implements Component, Sender<'profiles'> {
  readonly #config: Config;
  readonly #host: Host;
  readonly #headers: OwnHeaders;
  readonly #dropped: Instrument;
  readonly #losses: Instrument;
  #client: HttpClient | undefined;
  #degraded = false;

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#host = host;
    this.#headers = new OwnHeaders(config.headers);
    this.#dropped = counters.dropped(host.metrics);
    this.#losses = counters.losses(host.metrics);
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
    const { profiles } = batch;
    let rejected: Rejected[] | undefined;
    for (let at = 0; at < profiles.length; at++) {
      const result = await this.#sendOne(batch, profiles[at]!, abort);
      if (result.kind === 'permanent') {
        rejected ??= [];
        rejected.push(result);
      }
      if (result.kind !== 'retryable') continue;
      // Once the store fails, the others wait with the one that failed; it goes last then, lest it alone keep them back.
      for (const { error } of rejected ?? []) this.#rejectedBeside(error);
      if (profiles.length === 1) return result;
      const owed = [...profiles.slice(at + 1), profiles[at]!];
      return { ...result, rest: { ...batch, profiles: owed, sizeBytes: sizeOfProfiles(owed) } };
    }
    if (rejected === undefined) return { kind: 'accepted' };
    if (rejected.length === profiles.length) return rejected[0]!;
    for (const { error } of rejected) this.#host.log.error('profile rejected by the store', { error });
    return {
      kind: 'accepted',
      drops: rejected.map(({ error }) => ({ items: 1, reason: 'rejected', message: error.message })),
    };
  }

  /** A rejected profile is not owed any more, but a retryable answer has no place for drops: it is counted and said here. */
  #rejectedBeside(error: Error): void {
    this.#dropped.record(1, { reason: 'rejected' });
    this.#host.log.error('profile rejected by the store', { error });
  }

  async #sendOne(batch: ProfileBatch, profile: Profile, abort: AbortSignal): Promise<Outcome> {
    const client = this.#client;
    if (!client) return { kind: 'retryable', error: new Error('the exporter is not running') };
    const summary = () => this.#host.summary(profile);
    const door = await doorFor(this.#config, profile, summary);
    if (door.kind === 'none') return { kind: 'permanent', error: new Error(door.why), fault: 'gateway' };
    const isPush = door.kind === 'push';
    const pushed = isPush ? await pushBody(this.#config, batch, profile, summary) : undefined;
    const { contentType, chunks } = pushed ?? ingestBody(profile, isPush ? '' : door.query);
    const headers = this.#headers.for(batch.tenant, contentType);
    if (isPush) headers['connect-protocol-version'] = '1';
    const answer = await client.post(
      isPush ? PUSH_PATH : INGEST_PATH,
      isPush ? '' : door.query,
      headers,
      chunks,
      abort,
    );
    const { result, meaning } = resultOf(answer);
    if (meaning === 'accepted' && pushed && pushed.cutLabels > 0)
      this.#losses.record(pushed.cutLabels, { reason: 'series_labels' });
    if (meaning === 'access') {
      this.#degraded = true;
      this.#host.report('degraded', result.kind === 'retryable' ? result.error : undefined);
    } else if (meaning === 'accepted' && this.#degraded) {
      this.#degraded = false;
      this.#host.report('ok');
    }
    return result;
  }
}
