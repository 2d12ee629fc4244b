import type { Component, Encoding, Host, ProfileBatch, Result, Sender, TraceBatch } from '../../api/index.ts';
import { compressed } from '../../net/client-compression.ts';
import { GrpcClient } from '../../net/grpc-client.ts';
import { OtlpDelivery, type OtlpOutcome, type OtlpRequest } from '../../net/otlp-delivery.ts';
import { OwnHeaders } from '../../net/own-headers.ts';
import type { OtlpSignal } from '../../wire/otlp/response.ts';
import { outcomeOf } from './answer.ts';
import type { Config } from './config.ts';

const METHODS: Record<OtlpSignal, string> = {
  profiles: '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
};

/** Sends each request of a batch as one unary call. */
export class OtlpExporter implements Component, Sender<'profiles' | 'traces'> {
  readonly #config: Config;
  readonly #headers: OwnHeaders;
  readonly #delivery: OtlpDelivery;
  #client: GrpcClient | undefined;

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#headers = new OwnHeaders(config.headers);
    const layout = { version: config.wire_version, references: config.references };
    this.#delivery = new OtlpDelivery(host, layout, (request, abort) => this.#call(request, abort));
  }

  async start(): Promise<void> {
    const { endpoint, tls } = this.#config;
    const scheme = endpoint.secure || !tls?.insecure ? 'https' : 'http';
    this.#client = new GrpcClient({
      ...this.#config,
      endpoint: new URL(`${scheme}://${endpoint.host}:${endpoint.port}`),
    });
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  send<B extends ProfileBatch | TraceBatch>(batch: B, abort: AbortSignal): Promise<Result<B>> {
    return this.#delivery.send(batch, abort);
  }

  async #call({ signal, tenant, chunks, encoding }: OtlpRequest, abort: AbortSignal): Promise<OtlpOutcome> {
    const client = this.#client;
    if (!client) return { kind: 'retryable', error: new Error('the exporter is not running') };
    const { compression, compression_params } = this.#config;
    // What came compressed is not compressed again.
    const coding: Encoding = encoding !== 'identity' ? encoding : compression === 'none' ? 'identity' : compression;
    const message = coding === encoding ? chunks : await compressed(chunks, coding, compression_params.level);
    const metadata = this.#headers.for(tenant, 'application/grpc+proto');
    return outcomeOf(signal, await client.call(METHODS[signal], metadata, message, coding, abort));
  }
}
