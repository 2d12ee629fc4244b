import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Consumer } from '../../../src/api/index.ts';
import { Config } from '../../../src/processors/memory_limiter/config.ts';
import { MemoryLimiter } from '../../../src/processors/memory_limiter/processor.ts';
import { SlabPool } from '../../../src/workers/slabs.ts';
import { batchOf, listeningHost, never, profileOf } from '../exporters/fixtures.ts';
import { FakeClock } from '../pipeline/fixtures.ts';

const MIB = 1024 * 1024;
const PROCESS_BUDGET = 1024 * MIB;

function limiter(config: object, rssMib: number) {
  const { host, said } = listeningHost();
  const clock = new FakeClock();
  const memory = new SlabPool({ budgetBytes: PROCESS_BUDGET });
  const rss = { mib: rssMib };
  let passed = 0;
  const next: Consumer<'profiles' | 'traces'> = {
    consume: async () => {
      passed++;
      return { kind: 'accepted' };
    },
  };
  const component = new MemoryLimiter(Config.parse(config), { ...host, clock, memory }, next, () => rss.mib * MIB);
  const consume = () => component.consume(batchOf([profileOf({})]), never);
  return { component, consume, clock, memory, rss, said, passed: () => passed };
}

const budgetMib = ({ memory }: { memory: SlabPool }) => memory.usage.budgetBytes / MIB;

test('payloads get what the limit leaves above the base, less the spike', async () => {
  const byDefault = limiter({ limit_mib: 500 }, 100);
  await byDefault.component.start();
  assert.equal(budgetMib(byDefault), 500 - 100 - 100, 'the spike is a fifth');
  await byDefault.component.stop();
  const given = limiter({ limit_mib: 500, spike_limit_mib: 50 }, 100);
  await given.component.start();
  assert.equal(budgetMib(given), 500 - 50 - 100);
  await given.component.stop();
});

test('slabs, in use or pooled, are not part of the base', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 0 }, 100);
  at.memory.lease(16 * MIB);
  at.memory.release(at.memory.lease(32 * MIB)!.bytes);
  at.rss.mib += 16 + 32;
  await at.component.start();
  assert.equal(budgetMib(at), 400);
  await at.component.stop();
});

test('the budget follows the base at each check_interval', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 0, check_interval: '2s' }, 100);
  await at.component.start();
  at.rss.mib = 150;
  await at.clock.advance(1999);
  assert.equal(budgetMib(at), 400);
  await at.clock.advance(1);
  assert.equal(budgetMib(at), 350);
  at.rss.mib = 120;
  await at.clock.advance(2000);
  assert.equal(budgetMib(at), 380);
  await at.component.stop();
});

test('it refuses while the process is near its limit, degraded, and passes again when it is not', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 100);
  await at.component.start();
  at.memory.lease(16 * MIB);
  assert.equal((await at.consume()).kind, 'accepted');
  at.rss.mib = 401;
  assert.equal((await at.consume()).kind, 'accepted', 'not looked at yet');
  await at.clock.advance(1000);
  assert.deepEqual(await at.consume(), {
    kind: 'refused',
    reason: 'memory_limiter: the process is near its limit of 500 MiB',
    retryAfterMs: 1000,
  });
  await at.clock.advance(5000);
  assert.deepEqual(at.said.reports, [['degraded', 'resident memory 401 MiB, refusing above 400 MiB']], 'said once');
  at.rss.mib = 400;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'accepted');
  assert.deepEqual(at.said.reports.slice(1), [['ok', undefined]]);
  assert.equal(at.passed(), 3);
  await at.component.stop();
});

test('queues of dead stores give way before it refuses, and are not asked twice for the same memory', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 100);
  const held = Array.from({ length: 100 }, () => at.memory.lease(MIB)!);
  at.memory.onShortage(bytes => {
    for (let freed = 0; freed < bytes && held.length > 0; freed += MIB) at.memory.release(held.pop()!.bytes);
  });
  await at.component.start();
  at.rss.mib = 430;
  await at.clock.advance(1000);
  assert.equal(held.length, 70);
  assert.equal((await at.consume()).kind, 'accepted', 'resident still, but free');
  await at.clock.advance(5000);
  assert.equal(held.length, 70);
  at.rss.mib = 440;
  await at.clock.advance(1000);
  assert.equal(held.length, 60);
  at.rss.mib = 501;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'refused', 'the limit itself holds');
  at.rss.mib = 400;
  await at.clock.advance(1000);
  at.rss.mib = 401;
  held.splice(0, held.length - 1);
  await at.clock.advance(1000);
  assert.equal(held.length, 0, 'asked anew');
  await at.component.stop();
});

test('what is always allowed is not refused for: nobody is locked out by memory that waiting would not free', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 450);
  await at.component.start();
  assert.equal((await at.consume()).kind, 'accepted');
  at.memory.lease(8 * MIB);
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'accepted');
  const slab = at.memory.lease(MIB);
  assert.equal(slab, undefined, 'net refuses more');
  await at.component.stop();
  const more = at.memory.lease(MIB)!;
  await at.component.start();
  assert.equal((await at.consume()).kind, 'refused');
  at.memory.release(more.bytes);
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'accepted');
  await at.component.stop();
});

test('before anybody is refused for garbage it is asked to be collected', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 300);
  let asked = 0;
  at.memory.reclaim = () => {
    asked++;
    return false;
  };
  await at.component.start();
  await at.clock.advance(3000);
  assert.equal(asked, 0);
  at.rss.mib = 450;
  await at.clock.advance(1000);
  assert.equal(asked, 1);
  at.rss.mib = 374;
  await at.clock.advance(1000);
  assert.ok(at.memory.lease(16 * MIB));
  at.rss.mib += 16;
  await at.clock.advance(1000);
  assert.equal(asked, 1);
  at.rss.mib = 398;
  await at.clock.advance(1000);
  assert.equal(asked, 2, 'what is left is nearly held: garbage takes the room of queues');
  await at.component.stop();
});

test('while garbage is about to be collected nobody is refused and no queue gives way, below the limit itself', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 300);
  let soon = true;
  at.memory.reclaim = () => soon;
  let gaveWay = 0;
  at.memory.onShortage(bytes => {
    gaveWay += bytes;
  });
  at.memory.lease(16 * MIB);
  await at.component.start();
  at.rss.mib = 450;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'accepted');
  assert.equal(gaveWay, 0);
  at.rss.mib = 501;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'refused', 'the limit itself holds');
  at.rss.mib = 450;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'refused', 'nothing is known yet');
  soon = false;
  at.rss.mib = 399;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'accepted');
  at.rss.mib = 450;
  await at.clock.advance(1000);
  assert.equal((await at.consume()).kind, 'refused', 'it was no garbage');
  await at.component.stop();
});

test('a limit below the base leaves a little room and says so once', async () => {
  const at = limiter({ limit_mib: 64, check_interval: '1s' }, 100);
  await at.component.start();
  assert.equal(budgetMib(at), 8);
  await at.clock.advance(3000);
  assert.deepEqual(
    at.said.logs.map(([level, phrase]) => [level, phrase]),
    [['warn', 'memory limit leaves hardly any room for payloads, raise limit_mib']],
  );
  await at.component.stop();
});

test('stop takes the bound away, ends the checks and refuses nothing more; it can start again', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 450);
  at.memory.lease(12 * MIB);
  await at.component.start();
  assert.equal((await at.consume()).kind, 'refused');
  await at.component.stop();
  await at.component.stop();
  assert.equal(at.memory.usage.budgetBytes, PROCESS_BUDGET);
  assert.equal((await at.consume()).kind, 'accepted');
  at.rss.mib = 100;
  await at.clock.advance(10_000);
  assert.equal(at.memory.usage.budgetBytes, PROCESS_BUDGET, 'no check after stop');
  await at.component.start();
  assert.equal(budgetMib(at), 312);
  await at.component.stop();
});

test('traces are let through and refused like profiles', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 100, check_interval: '1s' }, 100);
  const { profiles: _, ...head } = batchOf([]);
  const payload = { form: 'otlp', encoding: 'identity', bytes: Buffer.alloc(1) } as const;
  const consume = async () => (await at.component.consume({ ...head, signal: 'traces', payload }, never)).kind;
  await at.component.start();
  assert.equal(await consume(), 'accepted');
  at.memory.lease(16 * MIB);
  at.rss.mib = 401;
  await at.clock.advance(1000);
  assert.equal(await consume(), 'refused');
  assert.equal(at.passed(), 1);
  await at.component.stop();
});

test('of two limiters the smaller bound rules, and the other again when it is gone', async () => {
  const at = limiter({ limit_mib: 500, spike_limit_mib: 0 }, 100);
  await at.component.start();
  const undo = at.memory.limit(10 * MIB);
  await at.clock.advance(1000);
  assert.equal(budgetMib(at), 10);
  undo();
  assert.equal(budgetMib(at), 400);
  await at.component.stop();
});

test('limits that make no sense are config errors', () => {
  const issue = (config: object) => Config.safeParse(config).error?.issues[0];
  assert.ok(issue({}));
  for (const limit_mib of [0, -1, 1.5]) assert.ok(issue({ limit_mib }), String(limit_mib));
  assert.deepEqual(issue({ limit_mib: 100, spike_limit_mib: 100 })?.path, ['spike_limit_mib']);
  assert.deepEqual(issue({ limit_mib: 100, check_interval: 0 })?.path, ['check_interval']);
  assert.equal(Config.parse({ limit_mib: 1 }).check_interval, 1000);
});
