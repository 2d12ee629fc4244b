// What exporters are given: a host that remembers what they said, and batches.
import type { Health, Host, Summary } from '../../../src/api/index.ts';
import type { Plain } from '../../../src/model/attributes.ts';
import { BatchId, type Profile, type ProfileBatch } from '../../../src/model/batch.ts';
import type { Origin, Payload } from '../../../src/model/payload.ts';
import { Examiner } from '../../../src/workers/examine.ts';
import { Pool } from '../../../src/workers/pool.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';

export interface Said {
  readonly reports: [Health, string | undefined][];
  readonly logs: [level: string, phrase: string, fields: object | undefined][];
  /** `name reason` → sum. */
  readonly counted: Map<string, number>;
  summaries: number;
}

/** A host with the real clock and summary; `said` is what went through it. */
export function listeningHost(summary?: Summary): { host: Host; said: Said } {
  const said: Said = { reports: [], logs: [], counted: new Map(), summaries: 0 };
  const log = (level: string) => (phrase: string, fields?: object) => void said.logs.push([level, phrase, fields]);
  const instrument = (name: string) => ({
    record: (value: number, labels?: Readonly<Record<string, string>>) => {
      const key = `${name} ${labels?.reason ?? ''}`.trim();
      said.counted.set(key, (said.counted.get(key) ?? 0) + value);
    },
  });
  const memory = new SlabPool({ budgetBytes: 1 << 26, poison: true });
  const pool = new Pool({
    settings: { threads: 1, taskTimeoutMs: 10_000, memoryBytes: 1 << 28, queueBytes: 1 << 26 },
    preload: new URL('../../../src/self.ts', import.meta.url).href,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    meter: { counter: instrument, gauge: instrument, histogram: instrument },
  });
  const examiner = new Examiner(pool, memory);
  const host: Host = {
    id: 'test',
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    metrics: { counter: instrument, gauge: instrument, histogram: instrument },
    clock: { now: () => Date.now(), sleep: () => Promise.resolve() },
    memory,
    listen: () => ({}),
    examine: (payload, maxBytes, origin) => examiner.examine(payload, maxBytes, origin),
    otlp: (bytes, asked) => examiner.otlp(bytes, asked),
    summary: async profile => {
      said.summaries++;
      return summary ?? examiner.summary(profile);
    },
    extension: () => undefined,
    wanted: () => true,
    report: (health, why) => void said.reports.push([health, why?.message]),
  };
  return { host, said };
}

export function profileOf(
  attributes: Readonly<Record<string, Plain>>,
  of: { bytes?: Uint8Array; form?: Payload['form']; encoding?: Payload['encoding']; origin?: Origin } = {},
): Profile {
  const { bytes = Buffer.from('payload'), form = 'pprof', encoding = 'identity', origin } = of;
  return {
    attributes: new Map(Object.entries(attributes)),
    payload: { form, encoding, bytes },
    part: 0,
    ...(origin && { origin }),
  };
}

export function batchOf(profiles: readonly Profile[], head: Partial<ProfileBatch> = {}): ProfileBatch {
  let sizeBytes = 0;
  for (const { payload, origin } of profiles) {
    sizeBytes += payload.bytes.length;
    for (const part of Object.values(origin?.parts ?? {})) sizeBytes += part.length;
  }
  return {
    signal: 'profiles',
    id: BatchId.of('id'),
    tenant: '',
    dialect: 'pyroscope',
    receivedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    sizeBytes,
    profiles,
    ...head,
  };
}

export const never = new AbortController().signal;

/** A summary that says this start, and one type. */
export function summaryAt(startNs: bigint, type = 'cpu'): Summary {
  return {
    types: [{ type, unit: 'nanoseconds', total: 1n }],
    period: 0n,
    startNs,
    durationNs: 10_000_000_000n,
    samples: 1,
    locations: 1,
    functions: 1,
  };
}
