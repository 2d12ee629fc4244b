import { z } from 'zod';
import { fields } from '../../api/index.ts';

const { headers, auth, proxy_url } = fields.client();

export const Config = z.strictObject({
  endpoint: fields
    .target()
    .describe('host:port of the store. `http://` before it does not turn TLS off, `tls.insecure` does.'),
  headers,
  tls: fields.grpcTls().optional(),
  auth,
  proxy_url: proxy_url
    .unwrap()
    .optional()
    .describe(
      'Proxy towards the store. Unset takes HTTPS_PROXY and NO_PROXY of the environment, with and without TLS.',
    ),
  authority: z.string().min(1).optional().describe('Value of `:authority` instead of the endpoint.'),
  keepalive: z
    .strictObject({
      time: fields.duration().prefault('10s').describe('Ping after this long; 0 never does.'),
      timeout: fields.duration().prefault('10s').describe('Without an answer within this time the connection ends.'),
      permit_without_stream: z.boolean().default(false).describe('Ping while no call is under way, too.'),
    })
    .optional()
    .describe('Pings that find dead connections; none unless given.'),
  ...fields.otlpClient(),
});
export type Config = z.output<typeof Config>;
