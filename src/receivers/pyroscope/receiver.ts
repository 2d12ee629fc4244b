import type { Component, Consumer, Host, Protocol } from '../../api/index.ts';
import type { Config } from './config.ts';
import { ingest } from './ingest.ts';
import { Intake } from './intake.ts';
import { push } from './push.ts';

/** SDKs have path prefixes, so the two doors are known by how the path ends. */
export function createReceiver(config: Config, host: Host, next: Consumer<'profiles'>): Component {
  return host.listen(config, protocolOf(config, host, next));
}

export function protocolOf(config: Config, host: Host, next: Consumer<'profiles'>): Protocol {
  const intake = new Intake(config, host, next);
  return {
    name: 'pyroscope',
    routes: [
      { path: '*/ingest', method: 'POST', handle: request => ingest(request, intake) },
      { path: '*/push.v1.PusherService/Push', method: 'POST', rpc: true, handle: request => push(request, intake) },
      {
        path: '/ready',
        method: 'GET',
        handle: async () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'ready\n' }),
      },
    ],
  };
}
