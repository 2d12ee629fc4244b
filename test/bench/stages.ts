// node test/bench/stages.ts: work on samples as the gateway does it, without sockets: tasks on the pool, fused and not, on one thread
// and on two. Prints a Markdown table.
import '../../src/self.ts';
import { cpus } from 'node:os';
import { Pool } from '../../src/workers/pool.ts';
import { runStages } from '../../src/workers/stages/run.ts';
import { groupOf, outBytes, type StageGroup, type StageSpec, type StageTask } from '../../src/workers/stages/task.ts';
import { profileOfSize } from './body.ts';

const MS = Number(process.env.BENCH_SECONDS ?? 3) * 1000;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const SIZES = (process.env.BENCH_SIZES ?? '2000,20000,200000').split(',').map(Number);
/** Batches on their way at a time: enough that a thread never waits for one. */
const IN_FLIGHT = 32;

const spec = (id: string, config: object): StageSpec => ({
  id,
  module: new URL(`../../src/processors/${id}/stage.ts`, import.meta.url).href,
  config,
});
const labels = spec('labels', {
  actions: [
    { action: 'set', key: 'region', value: 'eu-1' },
    { action: 'set', key: 'team', value: 'checkout' },
  ],
});
const frames = spec('frames', {
  rules: [{ action: 'redact', match: '\\.[0-9a-f]{14}$', field: 'function' }],
  other: 'other',
});
/** Reads and changes nothing: what crossing and decoding cost. */
const untouched = spec('labels', { actions: [{ action: 'delete', key: 'no such key' }] });

const nothing = { record() {} };
const meter = { counter: () => nothing, gauge: () => nothing, histogram: () => nothing };
const log = { debug() {}, info() {}, warn() {}, error: console.error };

function poolOf(threads: number): Pool {
  return new Pool({
    settings: { threads, taskTimeoutMs: 10_000, memoryBytes: 2 ** 29, queueBytes: 2 ** 30 },
    preload: new URL('../../src/self.ts', import.meta.url).href,
    log,
    meter,
  });
}

function shared(size: number): Uint8Array {
  const body = profileOfSize(size);
  const bytes = Buffer.from(new SharedArrayBuffer(body.length));
  bytes.set(body);
  return bytes;
}
function taskOf(group: StageGroup, bytes: Uint8Array): StageTask {
  const payload = { form: 'pprof' as const, encoding: 'gzip' as const, bytes };
  const out = new Uint8Array(new SharedArrayBuffer(outBytes([bytes.length])));
  return {
    group,
    out,
    profiles: [{ attributes: new Map([['service_name', 'shop']]), payload, part: 0 }],
    receivedMs: 0,
    rewrite: false,
  };
}

/** One thread without a crossing: µs per profile. */
async function inline(group: StageGroup, bytes: Uint8Array): Promise<number> {
  const task = taskOf(group, bytes);
  for (let n = 0; n < 50; n++) await runStages(task);
  const startMs = performance.now();
  let done = 0;
  for (; performance.now() - startMs < MS / 3; done++) await runStages(task);
  return ((performance.now() - startMs) * 1000) / done;
}

interface Run {
  /** Profiles per second. */
  readonly perSecond: number;
  /** CPU of the whole process per profile, µs. */
  readonly cpuUs: number;
  /** Of which the main thread, µs. */
  readonly mainUs: number;
}

/** @param groups one after another, each on what the one before left: several are what fusing saves */
async function onPool(threads: number, groups: readonly StageGroup[], bytes: Uint8Array): Promise<Run> {
  const pool = poolOf(threads);
  let done = 0;
  const work = async (untilMs: number) => {
    const tasks = groups.map(group => taskOf(group, bytes));
    while (performance.now() < untilMs) {
      let payload = tasks[0]!.profiles[0]!.payload;
      for (const task of tasks) {
        const profiles = [{ ...task.profiles[0]!, payload }];
        const outcome = await pool.run('stages', { ...task, profiles }, { bytes: bytes.length });
        if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome));
        const [left] = outcome.value.outcomes;
        if (left?.kind !== 'kept') throw new Error(JSON.stringify(left));
        if (!left.edited) continue;
        const { edited } = left;
        payload = {
          form: 'pprof',
          encoding: 'gzip',
          bytes: edited instanceof Uint8Array ? edited : task.out.subarray(edited.at, edited.at + edited.length),
        };
      }
      done++;
    }
  };
  const all = (ms: number) => {
    const untilMs = performance.now() + ms;
    return Promise.all(Array.from({ length: IN_FLIGHT }, () => work(untilMs)));
  };
  await all(500);
  done = 0;
  const startMs = performance.now();
  const before = process.cpuUsage();
  const loop = performance.eventLoopUtilization();
  await all(MS);
  const tookMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const { active } = performance.eventLoopUtilization(loop);
  await pool.stop(AbortSignal.abort());
  return { perSecond: (done * 1000) / tookMs, cpuUs: (user + system) / done, mainUs: (active * 1000) / done };
}

const works: [string, StageSpec[][]][] = [
  ['nothing to change', [[untouched]]],
  ['labels: two on every sample', [[labels]]],
  ['frames: names redacted', [[frames]]],
  ['both, fused', [[labels, frames]]],
  ['both, not fused', [[labels], [frames]]],
];
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}; ${IN_FLIGHT} in flight, ${MS / 1000} s, median of ${ROUNDS} rounds\n`,
);
console.log('| body | work | inline µs | CPU µs, 1 thread | of which main | profiles/s, 1 → 2 threads | × |');
console.log('|---|---|---|---|---|---|---|');
for (const size of SIZES) {
  const bytes = shared(size);
  for (const [name, groups] of works) {
    const made = groups.map((specs, n) => groupOf(`${name} ${n}`, specs));
    const alone: number[] = [];
    const one: Run[] = [];
    const two: Run[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      let us = 0;
      for (const group of made) us += await inline(group, bytes);
      alone.push(us);
      one.push(await onPool(1, made, bytes));
      two.push(await onPool(2, made, bytes));
    }
    const of = (runs: readonly Run[], pick: (run: Run) => number) => median(runs.map(pick));
    const ratio = median(one.map((run, n) => two[n]!.perSecond / run.perSecond));
    console.log(
      `| ${size / 1000} KB | ${name} | ${median(alone).toFixed(0)} | ${of(one, run => run.cpuUs).toFixed(0)} | ${of(one, run => run.mainUs).toFixed(0)} | ${of(one, run => run.perSecond).toFixed(0)} → ${of(two, run => run.perSecond).toFixed(0)} | ${ratio.toFixed(2)} |`,
    );
  }
}
