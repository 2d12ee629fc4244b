// A real gateway between every sender of OTLP and an OTLP store, by gRPC and by HTTP, with a Pyroscope beside it.
import { freePort, Gateway } from './gateway.ts';
import { grpcSender, http2Sender, httpSender, type Sender } from './otlp-sender.ts';
import { FakeOtlpStore, type OtlpDelivery, type Signal } from './otlp-store.ts';
import { FakeStore } from './store.ts';

export interface RigOptions {
  /** Of both OTLP exporters. */
  readonly exporter?: object;
  /** Attributes that the pipeline of profiles upserts on every resource. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Of the protocols of the `otlp` receiver, beside their endpoints. */
  readonly grpc?: object;
  readonly http?: object;
}

export class OtlpRig {
  readonly gateway: Gateway;
  readonly store: FakeOtlpStore;
  readonly pyroscope: FakeStore;
  /** Addresses of the gateway, as the Go program and the senders take them. */
  readonly at: { readonly grpc: string; readonly http: string };
  /** Protobuf by grpc-js, by frames of our own over node:http2, and by HTTP/1.1. */
  readonly senders: readonly Sender[];
  readonly json: Sender;

  private constructor(gateway: Gateway, store: FakeOtlpStore, pyroscope: FakeStore, at: OtlpRig['at']) {
    this.gateway = gateway;
    this.store = store;
    this.pyroscope = pyroscope;
    this.at = at;
    this.senders = [
      grpcSender(at.grpc),
      http2Sender(`http://${at.grpc}`),
      httpSender(at.http, 'application/x-protobuf'),
    ];
    this.json = httpSender(at.http, 'application/json');
  }

  static async start(options: RigOptions = {}): Promise<OtlpRig> {
    const { exporter, attributes } = options;
    const [store, pyroscope] = await Promise.all([new FakeOtlpStore().start(), new FakeStore().start()]);
    const [grpc, http] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const set = Object.entries(attributes ?? {}).map(([key, value]) => ({ key, value, action: 'upsert' }));
    const gateway = await Gateway.start({
      receivers: {
        otlp: { protocols: { grpc: { endpoint: grpc, ...options.grpc }, http: { endpoint: http, ...options.http } } },
      },
      ...(attributes && { processors: { resource: { attributes: set } } }),
      exporters: {
        otlp: { endpoint: store.grpc, tls: { insecure: true }, ...exporter },
        otlphttp: { endpoint: store.http, ...exporter },
        pyroscope: { endpoint: pyroscope.url },
      },
      service: {
        pipelines: {
          profiles: {
            receivers: ['otlp'],
            ...(attributes && { processors: ['resource'] }),
            exporters: ['otlp', 'otlphttp', 'pyroscope'],
          },
          traces: { receivers: ['otlp'], exporters: ['otlp', 'otlphttp'] },
        },
      },
    }).catch(async error => {
      // Nothing holds a test open that could not begin.
      await Promise.all([store.stop(), pyroscope.stop()]);
      throw error;
    });
    return new OtlpRig(gateway, store, pyroscope, { grpc, http: `http://${http}` });
  }

  /** What the store gets while `act` runs and after: the next request of each way, told apart from earlier ones. */
  async delivered(signal: Signal, act: () => Promise<unknown>): Promise<{ grpc: OtlpDelivery; http: OtlpDelivery }> {
    const ways = ['grpc', 'http'] as const;
    const before = ways.map(way => this.store.by(way, signal).length);
    await act();
    const [grpc, http] = await Promise.all(
      ways.map(async (way, at) => {
        await this.store.until(() => this.store.by(way, signal).length > before[at]!, `${signal} by ${way}`);
        return this.store.by(way, signal)[before[at]!]!;
      }),
    );
    if (signal === 'profiles') await this.#drained();
    return { grpc: grpc!, http: http! };
  }

  /** Until Pyroscope has all: what was sent here must not arrive while the next test counts. */
  async #drained(): Promise<void> {
    for (;;) {
      const { components } = await this.gateway.status();
      if (
        components.every(
          (one: { id: string; queue?: { batches: number } }) => one.id !== 'pyroscope' || one.queue?.batches === 0,
        )
      )
        return;
    }
  }

  async stop(): Promise<number | null> {
    for (const sender of [...this.senders, this.json]) sender.close();
    const code = await this.gateway.stop();
    await Promise.all([this.store.stop(), this.pyroscope.stop()]);
    return code;
  }
}
