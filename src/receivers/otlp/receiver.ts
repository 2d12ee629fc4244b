import type { Component, Consumer, Host, OtlpSignal, Protocol, Route } from '../../api/index.ts';
import { failure, refusal } from './answer.ts';
import { type Config, limitOf } from './config.ts';
import { Intake } from './intake.ts';

const RPC_PATHS: Record<OtlpSignal, string> = {
  profiles: '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
};
const HTTP_PATHS: Record<OtlpSignal, string> = { profiles: '/v1development/profiles', traces: '/v1/traces' };
const SIGNALS: readonly OtlpSignal[] = ['profiles', 'traces'];

/** What a Collector would take too, by path: a sender that is told why finds its mistake sooner. */
const FOREIGN: Record<string, string> = {
  '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export': 'metrics',
  '/opentelemetry.proto.collector.logs.v1.LogsService/Export': 'logs',
  '/v1/metrics': 'metrics',
  '/v1/logs': 'logs',
};

export function createReceiver(config: Config, host: Host, next: Consumer<'profiles' | 'traces'>): Component {
  const { grpc, http } = config.protocols;
  const listening: Component[] = [];
  if (grpc)
    listening.push(
      host.listen(grpc, grpcProtocol(new Intake('otlp_grpc', config, limitOf(grpc), host, next), grpc.cors)),
    );
  if (http)
    listening.push(
      host.listen(http, httpProtocol(new Intake('otlp_http', config, limitOf(http), host, next), http.cors)),
    );
  return {
    async start() {
      for (const one of listening) await one.start?.();
    },
    async stop(deadline) {
      await Promise.all(listening.map(one => one.stop?.(deadline)));
    },
  };
}

function grpcProtocol(intake: Intake, cors: Protocol['cors']): Protocol {
  const routes = SIGNALS.map(signal => route(RPC_PATHS[signal], intake, signal));
  return {
    name: 'otlp_grpc',
    routes: [...routes.map(one => ({ ...one, rpc: true as const })), ...foreign(true)],
    cors,
  };
}

function httpProtocol(intake: Intake, cors: Protocol['cors']): Protocol {
  const routes = SIGNALS.map(signal => route(HTTP_PATHS[signal], intake, signal));
  return { name: 'otlp_http', routes: [...routes, ...foreign(false)], refusal, cors };
}

function route(path: string, intake: Intake, signal: OtlpSignal): Route {
  return { path, method: 'POST', handle: request => intake.take(request, signal) };
}

function foreign(rpc: boolean): Route[] {
  return Object.entries(FOREIGN)
    .filter(([path]) => path.endsWith('/Export') === rpc)
    .map(([path, signal]) => ({
      path,
      method: 'POST',
      ...(rpc && { rpc }),
      handle: async request =>
        failure(request, 'unimplemented', `flamegate takes profiles and traces, no ${signal}; send these elsewhere`),
    }));
}
