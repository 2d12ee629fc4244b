// The schema of `service:`. What its ids refer to is checked by references.ts.
import { z } from 'zod';
import { duration, listen, secret } from '../api/fields.ts';

/** Below the 30 s that Kubernetes gives a pod by default (terminationGracePeriodSeconds). */
export const DRAIN_TIMEOUT = '25s';

const ids = (what: string) => z.array(z.string()).describe(what);

const pipeline = z
  .strictObject({
    receivers: ids('Ids of receivers, and of connectors that end other pipelines.').min(
      1,
      'a pipeline needs at least one receiver',
    ),
    processors: ids('Ids of processors, in the order in which they run.').default([]),
    exporters: ids('Ids of exporters, and of connectors that begin other pipelines; each gets everything.').min(
      1,
      'a pipeline needs at least one exporter',
    ),
  })
  .describe('The way of one signal: receivers, then processors, then every exporter.');

export const service = z.strictObject({
  extensions: ids('Ids of extensions, in the order in which they start.').default([]),
  pipelines: z
    .record(z.string(), pipeline)
    .describe('By `signal` or `signal/name`; the signal is profiles, traces or metrics.'),
  telemetry: z
    .strictObject({
      admin: z
        .strictObject({
          ...listen('127.0.0.1:13133'),
          token: secret()
            .optional()
            .describe('Ask for this token (Authorization: Bearer) for everything but /livez and /readyz.'),
        })
        .prefault({})
        .describe('The port for health, metrics, the status API and the page.'),
      logs: z
        .strictObject({
          level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level that is written.'),
        })
        .prefault({})
        .describe('The log of the gateway itself.'),
    })
    .prefault({})
    .describe('What the gateway says of itself.'),
  drain_timeout: duration()
    .prefault(DRAIN_TIMEOUT)
    .describe(
      'How long shutdown waits for queues to empty. Keep it below the grace period of whatever stops the gateway (Kubernetes: 30s).',
    ),
});
export type ServiceConfig = z.output<typeof service>;
