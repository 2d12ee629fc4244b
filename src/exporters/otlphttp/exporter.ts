import type { Component, Encoding, Host, ProfileBatch, Result, Sender, TraceBatch } from '../../api/index.ts';
import { type AnswerLimit, HttpClient } from '../../net/client.ts';
import { compressed } from '../../net/client-compression.ts';
import { OtlpDelivery, type OtlpOutcome, type OtlpRequest } from '../../net/otlp-delivery.ts';
import { OwnHeaders } from '../../net/own-headers.ts';
import { MAX_INFLATED_BYTES } from '../../wire/gzip.ts';
import { inflate } from '../../wire/inflate.ts';
import { toJson } from '../../wire/otlp/json-write.ts';
import type { OtlpSignal } from '../../wire/otlp/response.ts';
import { outcomeOf } from './answer.ts';
import type { Config } from './config.ts';

/** Longest answer, as OTLP recommends for its clients; a longer one is a failure that is not retried. */
const ANSWER: AnswerLimit = { bytes: 4 * 1024 * 1024, beyond: 'fail' };
const PATHS: Record<OtlpSignal, string> = { profiles: '/v1development/profiles', traces: '/v1/traces' };

/** Where requests of one signal go. */
interface Door {
  readonly client: HttpClient;
  readonly path: string;
}

/** Sends each request of a batch as one POST. */
export class OtlpHttpExporter implements Component, Sender<'profiles' | 'traces'> {
  readonly #config: Config;
  readonly #headers: OwnHeaders;
  readonly #delivery: OtlpDelivery;
  #doors: Partial<Record<OtlpSignal, Door>> | undefined;

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#headers = new OwnHeaders(config.headers);
    // Names in JSON did not change with the numbers.
    const version = config.encoding === 'json' ? '1.10' : config.wire_version;
    const layout = { version, references: config.references };
    this.#delivery = new OtlpDelivery(host, layout, (request, abort) => this.#post(request, abort));
  }

  async start(): Promise<void> {
    const { endpoint, profiles_endpoint, traces_endpoint } = this.#config;
    const profiles = profiles_endpoint ?? below(endpoint, PATHS.profiles);
    const traces = traces_endpoint ?? below(endpoint, PATHS.traces);
    const open = (url: URL) => new HttpClient({ ...this.#config, endpoint: new URL(url.origin) }, { answer: ANSWER });
    const doors: Partial<Record<OtlpSignal, Door>> = {};
    if (profiles) doors.profiles = { client: open(profiles), path: profiles.pathname };
    if (traces) {
      const shared = profiles?.origin === traces.origin ? doors.profiles?.client : undefined;
      doors.traces = { client: shared ?? open(traces), path: traces.pathname };
    }
    this.#doors = doors;
  }

  async stop(): Promise<void> {
    const doors = this.#doors;
    this.#doors = undefined;
    await doors?.profiles?.client.close();
    await doors?.traces?.client.close();
  }

  send<B extends ProfileBatch | TraceBatch>(batch: B, abort: AbortSignal): Promise<Result<B>> {
    return this.#delivery.send(batch, abort);
  }

  async #post(request: OtlpRequest, abort: AbortSignal): Promise<OtlpOutcome> {
    const { signal, tenant } = request;
    if (!this.#doors) return { kind: 'retryable', error: new Error('the exporter is not running') };
    const door = this.#doors[signal];
    if (!door) {
      const error = new Error(`there is no address for ${signal}; set endpoint or ${signal}_endpoint`);
      return { kind: 'permanent', error, fault: 'gateway' };
    }
    const { compression, compression_params } = this.#config;
    const isJson = this.#config.encoding === 'json';
    const { chunks, encoding } = isJson ? await inJson(request) : request;
    // What came compressed is not compressed again.
    const coding: Encoding = encoding !== 'identity' ? encoding : compression === 'none' ? 'identity' : compression;
    const body = coding === encoding ? chunks : await compressed(chunks, coding, compression_params.level);
    const headers = this.#headers.for(tenant, isJson ? 'application/json' : 'application/x-protobuf');
    if (coding !== 'identity') headers['content-encoding'] = coding;
    return outcomeOf(signal, await door.client.post(door.path, '', headers, body, abort));
  }
}

/** @throws DecodeError */
async function inJson({ signal, chunks, encoding }: OtlpRequest): Promise<Pick<OtlpRequest, 'chunks' | 'encoding'>> {
  const [only] = chunks;
  const bytes = only && chunks.length === 1 ? only : Buffer.concat(chunks);
  const json = await inflate({ encoding, bytes }, MAX_INFLATED_BYTES, {}, raw => toJson(raw, signal));
  return { chunks: json, encoding: 'identity' };
}

function below(base: URL | undefined, path: string): URL | undefined {
  return base && new URL(`${base.href.replace(/\/$/, '')}${path}`);
}
