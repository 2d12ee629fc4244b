// The scalars and blocks that every component's config is made of. Option names are fixed here once: a synonym is a review stop.
// YAML says units in the value (30s, 64MiB), never in the key; code gets milliseconds and bytes.
import { z } from 'zod';
import { configuredHeaderProblem } from './http.ts';

const DURATION = /^(\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)$/;
const BYTE_UNITS: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Longest duration that a configuration can name, days: ten years. What is longer was mistyped. */
const MAX_DURATION_DAYS = 3650;

/** "1m30s" → 90000; undefined when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    ms += Number(amount) * DURATION_MS[unit!]!;
  return ms;
}
/** "64MiB" → 67108864; undefined when it is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = BYTES.exec(text);
  return match ? Math.floor(Number(match[1]) * BYTE_UNITS[match[2]!]!) : undefined;
}

/** A duration such as `30s` or `1m30s`; `0` is allowed. Output: milliseconds. */
export const duration = () =>
  z
    .union([z.string(), z.literal(0)])
    .meta({ format: 'duration', examples: ['30s'] })
    .transform((value, context) => {
      const ms = parseDuration(String(value));
      if (ms === undefined)
        context.addIssue(`"${value}" is not a duration: write a number and a unit, such as 500ms, 30s, 5m or 1h30m`);
      else if (ms > MAX_DURATION_DAYS * DURATION_MS.d!)
        context.addIssue(`"${value}" is too long: at most ${MAX_DURATION_DAYS}d`);
      return ms ?? z.NEVER;
    });

/** A size such as `64MiB`, or a plain number of bytes. Output: bytes. */
export const bytes = () =>
  z
    .union([z.string(), z.number().int().nonnegative()])
    .meta({ format: 'bytes', examples: ['64MiB'] })
    .transform((value, context) => {
      const size = typeof value === 'number' ? value : parseBytes(value);
      if (size === undefined)
        context.addIssue(`"${value}" is not a size: write a number and a unit, such as 512KiB, 64MiB or 1GiB`);
      return size ?? z.NEVER;
    });

/** A text that logs, print-config and errors never show. */
export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  /** The text itself; call it where it goes onto the wire and nowhere else. */
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return '[redacted]';
  }
  toJSON(): string {
    return '[redacted]';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}
export const secret = () =>
  z
    .string()
    .meta({ writeOnly: true })
    .transform(text => new Secret(text));

/** `host:port`, `:port` (all addresses) or `[::1]:port`; port 0 takes a free one. */
export const address = () =>
  z.string().refine(text => {
    const port = /^(?:\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(text)?.[1];
    return port !== undefined && Number(port) <= 65_535;
  }, 'must be host:port, such as 127.0.0.1:4040');

/** Base URL of a store. What it would silently lose is an error: a path is appended to it, credentials belong in `auth`. */
export const url = () =>
  z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).transform((text, context) => {
    const parsed = new URL(text);
    if (parsed.username !== '' || parsed.password !== '')
      context.addIssue(
        'credentials in a URL are not used and would be shown; write them under `auth: {basic: …}` beside it',
      );
    if (/[?#]/.test(text))
      context.addIssue(
        'a query or fragment of the base URL would not be sent; leave it out, and use `headers` or `auth`',
      );
    return parsed;
  });

const basic = z
  .strictObject({
    username: z.string().describe('User name.'),
    password: secret().describe('Password; best given as `${env:NAME}` or `${file:path}`.'),
  })
  .describe('HTTP basic authentication.');
const bearer = z
  .strictObject({
    token: secret().optional().describe('The token.'),
    token_file: z
      .string()
      .optional()
      .describe('File that holds the token; read again for each use, so that it can be rotated.'),
  })
  .refine(b => (b.token === undefined) !== (b.token_file === undefined), 'give either token or token_file')
  .describe('Bearer token.');
export const auth = () =>
  z
    .strictObject({ basic: basic.optional(), bearer: bearer.optional() })
    .refine(a => (a.basic === undefined) !== (a.bearer === undefined), 'give either basic or bearer')
    .describe('Who may send here, or who we are at the store.');
export type Auth = z.output<ReturnType<typeof auth>>;

export const serverTls = () =>
  z
    .strictObject({
      cert_file: z.string().describe('PEM certificate chain.'),
      key_file: z.string().describe('PEM private key.'),
      client_ca_file: z
        .string()
        .optional()
        .describe('PEM of the authorities whose clients are let in; a certificate is then required.'),
      min_version: z.enum(['1.2', '1.3']).default('1.2').describe('Lowest version of TLS that is spoken.'),
      reload_interval: duration()
        .prefault('10s')
        .describe('How soon changed files are noticed and used for new connections; 0 reads them once.'),
    })
    .describe('Serve over TLS.');
type WholeServerTls = z.output<ReturnType<typeof serverTls>>;
/** What code hands in may leave to `net` what has a default. */
export type ServerTls = Omit<WholeServerTls, 'min_version' | 'reload_interval'> &
  Partial<Pick<WholeServerTls, 'min_version' | 'reload_interval'>>;
const clientTlsKeys = () => ({
  ca_file: z.string().optional().describe('PEM of the authorities to trust beside the system ones.'),
  cert_file: z.string().optional().describe('PEM client certificate.'),
  key_file: z.string().optional().describe('PEM client key.'),
  insecure_skip_verify: z.boolean().default(false).describe('Do not check the certificate of the store.'),
  server_name_override: z.string().optional().describe('Name expected in the certificate.'),
  min_version: z.enum(['1.2', '1.3']).default('1.2').describe('Oldest version of TLS.'),
  reload_interval: duration()
    .prefault('10s')
    .describe('Changed files are noticed within this time, and used for new connections.'),
});
const hasPair = (tls: { cert_file?: string | undefined; key_file?: string | undefined }) =>
  (tls.cert_file === undefined) === (tls.key_file === undefined);
const PAIR = 'give cert_file and key_file together';
export const clientTls = () =>
  z.strictObject(clientTlsKeys()).refine(hasPair, PAIR).describe('TLS settings towards an https:// endpoint.');
/** Of gRPC, whose endpoints have no scheme: it is TLS unless this says otherwise. */
export const grpcTls = () =>
  z
    .strictObject({
      insecure: z.boolean().default(false).describe('Speak without TLS, unless the endpoint begins with https://.'),
      ...clientTlsKeys(),
    })
    .refine(hasPair, PAIR)
    .describe('TLS settings; gRPC is TLS unless `insecure` is set.');

/** Of HTTP/2, as on the Collector's configgrpc. Zeros there mean gRPC's defaults, of which the first three are "never". */
export const keepalive = () =>
  z
    .strictObject({
      server_parameters: z
        .strictObject({
          max_connection_idle: duration()
            .prefault('5m')
            .describe(
              'Close connections that had no request for so long, so that senders that vanished do not add up; 0 never does.',
            ),
          max_connection_age: duration()
            .prefault('0')
            .describe('Have senders connect anew after about so long, for balancers in front; 0 never does.'),
          max_connection_age_grace: duration()
            .prefault('0')
            .describe('How long requests may go on after that; 0 waits for all of them.'),
          time: duration().prefault('2h').describe('Ask for a sign of life after so long without one; 0 never does.'),
          timeout: duration().prefault('20s').describe('Close the connection when none comes within this time.'),
        })
        .prefault({})
        .describe('What this end does.'),
    })
    .describe('How long connections of HTTP/2 are kept.');

/** The Collector's keys of confighttp. */
export const cors = () =>
  z
    .strictObject({
      allowed_origins: z
        .array(z.string())
        .default([])
        .describe(
          'Sites whose pages may send here: `https://example.com`, `https://*.example.com`, or `*`; none turns it off.',
        ),
      allowed_headers: z
        .array(z.string())
        .default([])
        .describe('Request headers that pages may set beside the usual ones; `*` allows any.'),
      exposed_headers: z.array(z.string()).default([]).describe('Response headers that pages may read.'),
      max_age: z
        .int()
        .min(0)
        .default(0)
        .describe('How long a browser need not ask again, seconds; 0 leaves it to the browser.'),
    })
    .describe('Requests from pages of other sites (CORS).');

/** The keys of everything that listens. Spread into the component's strictObject with its own default address. */
export const listen = (endpoint: string) => ({
  endpoint: address()
    .default(endpoint)
    .describe('Address to listen on, host:port. Only loopback unless you say otherwise.'),
  tls: serverTls().optional(),
  auth: auth().optional(),
});
export interface Listen {
  readonly endpoint: string;
  readonly tls?: ServerTls | undefined;
  readonly auth?: Auth | undefined;
  /** Of a port that several share, what the first of them says that says anything. */
  readonly keepalive?: z.output<ReturnType<typeof keepalive>> | undefined;
}

/** `host:port` of a store, with http:// or https:// before it or without. */
export const target = () =>
  z.string().transform((text, context) => {
    const [, scheme, host = '', port = ''] = /^(?:(https?):\/\/)?(\[[^\]]+\]|[^:/@]+):(\d{1,5})\/?$/i.exec(text) ?? [];
    const endpoint = URL.parse(`https://${host}:${port}`);
    if (endpoint) return { host: endpoint.hostname, port: Number(port), secure: scheme?.toLowerCase() === 'https' };
    context.addIssue('must be host:port, such as store:4317');
    return z.NEVER;
  });

/** A proxy to go through. Its credentials stand in the URL, as everywhere; they are not shown. */
export const proxyUrl = () =>
  z
    .url({ protocol: /^https?$/, error: 'must be the http:// or https:// URL of a proxy' })
    .meta({ writeOnly: true })
    .transform((text, context) => {
      const parsed = new URL(text);
      if (parsed.pathname !== '/' || /[?#]/.test(text)) context.addIssue('a proxy has no path; write http://host:port');
      return parsed;
    });

/** The keys of everything that calls a store over HTTP. `timeout` is the pipeline's (see outbox). */
export const client = () => ({
  endpoint: url().describe('Base URL of the store.'),
  headers: z
    .record(z.string(), z.string())
    .superRefine((headers, context) => {
      for (const [name, value] of Object.entries(headers)) {
        const message = configuredHeaderProblem(name, value);
        if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message });
      }
    })
    .default({})
    .describe('Headers to add to each request. `X-Scope-OrgID` here replaces the tenant of the batch.'),
  tls: clientTls().optional(),
  auth: auth().optional(),
  proxy_url: proxyUrl()
    .optional()
    .describe('Proxy towards the store. Unset takes HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment.'),
});

/** The keys of everything that sends OTLP, over whatever. */
export const otlpClient = () => ({
  compression: z.enum(['gzip', 'zstd', 'none']).default('gzip').describe('Compression of requests.'),
  compression_params: z
    .strictObject({ level: z.int().min(1).max(9).default(1).describe('1 is fastest, 9 smallest.') })
    .prefault({})
    .describe('How hard to compress.'),
  wire_version: z
    .enum(['1.8', '1.9', '1.10'])
    .default('1.10')
    .describe('Layout of profiles that the store reads; 1.10 is 1.11 too.'),
  references: z
    .enum(['inline', 'intern'])
    .default('inline')
    .describe(
      'Strings of resource and scope attributes: written in place, which every store reads, or as references into the dictionary (1.10).',
    ),
});

const retry = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Try again what may work later.'),
    initial_interval: duration().prefault('5s').describe('Delay before the first retry.'),
    max_interval: duration().prefault('30s').describe('Longest delay.'),
    multiplier: z.number().min(1).default(1.5).describe('Growth of the delay.'),
    randomization_factor: z.number().min(0).max(1).default(0.5).describe('Share of the delay that is random.'),
    max_elapsed_time: duration()
      .prefault('0')
      .describe('Give a batch up after this long; 0 never does (the Collector: 300s).'),
  })
  .describe('Retries after failures of the store.');
const queue = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Without a queue the sender waits for the answer of the store.'),
    num_consumers: z.int().min(1).max(1000).default(10).describe('Requests in flight at a time.'),
    sizer: z
      .enum(['bytes', 'requests'])
      .default('bytes')
      .describe(
        'What queue_size counts: bytes (payloads; in memory all that a batch takes, at least 2 KiB) or batches.',
      ),
    queue_size: bytes().prefault('64MiB').describe('Capacity in units of sizer; 1GiB is the default with storage.'),
    storage: z
      .string()
      .optional()
      .describe(
        'Id of a file_storage extension: the queue lies on disk and survives the process. Unset keeps it in memory.',
      ),
    max_age: duration().optional().describe('Drop what waited longer; unset keeps it until there is no room.'),
    on_full: z
      .enum(['drop_oldest', 'refuse'])
      .default('drop_oldest')
      .describe(
        'Make room by dropping the oldest batch (counted), or refuse new ones: 429 to senders of the whole pipeline.',
      ),
  })
  .describe('Queue between the pipeline and the store.');

/** Keys that every exporter has; the config room validates them beside the exporter's own, the pipeline acts on them. */
export const outbox = z.strictObject({
  timeout: duration().prefault('5s').describe('Longest time for one request to the store.'),
  sending_queue: queue.prefault({}),
  retry_on_failure: retry.prefault({}),
});
export type OutboxConfig = z.output<typeof outbox>;
