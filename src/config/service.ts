// The schema of `service:`. What its ids refer to is checked by references.ts.
import { z } from 'zod';
import { bytes, duration, listen, secret } from '../api/fields.ts';

/** Below the 30 s that Kubernetes gives a pod by default (terminationGracePeriodSeconds). */
export const DRAIN_TIMEOUT = '25s';

/** A large profile, inflated and decoded, must fit; bytes. */
const LEAST_THREAD_MEMORY = 128 * 1024 * 1024;

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
  workers: z
    .strictObject({
      threads: z.int().min(1).max(256).optional().describe('Worker threads; unset is one for each CPU core.'),
      task_timeout: duration()
        .prefault('10s')
        .refine(ms => ms > 0, 'must be longer than 0')
        .describe('Longest run of one task: a stage that takes longer is ended with its thread.'),
      thread_memory: bytes()
        .prefault('512MiB')
        .refine(size => size >= LEAST_THREAD_MEMORY, 'must be at least 128MiB')
        .describe('Most that one thread may hold beside the payloads; a stage that takes more is ended with it.'),
      queue_size: bytes()
        .prefault('64MiB')
        .describe('Payload bytes that may wait for a thread; beyond it senders hear 429.'),
    })
    .prefault({})
    .describe(
      'The threads on which stages work on samples, and large profiles are checked. None runs before there is work for it.',
    ),
  drain_timeout: duration()
    .prefault(DRAIN_TIMEOUT)
    .describe(
      'How long shutdown waits for queues to empty. Keep it below the grace period of whatever stops the gateway (Kubernetes: 30s).',
    ),
});
export type ServiceConfig = z.output<typeof service>;
