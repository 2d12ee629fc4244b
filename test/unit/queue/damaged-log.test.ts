// The command line on what a killed gateway left, with a damaged place in its log: no verb may lose what stands behind that place.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Plan } from '../../../src/config/plan.ts';
import { mendLogFile } from '../../../src/pipeline/outbox/disk/log-file.ts';
import { openQueueFile } from '../../../src/pipeline/outbox/disk/recover.ts';
import { PAGE_BYTES } from '../../../src/pipeline/outbox/disk/schema.ts';
import { type QueueOptions, type QueueVerb, queueCommand } from '../../../src/queue/command.ts';
import { reach } from '../../../src/queue/reach.ts';
import { disk, ROOMY } from '../pipeline/disk/rig.ts';

const BATCHES = 40;
const VERBS: Readonly<Record<QueueVerb, Partial<QueueOptions>>> = {
  ls: {},
  peek: {},
  export: {},
  replay: { to: 'a' },
  purge: { dead: true, yes: true },
  verify: {},
};

/** File and log as a kill leaves them, with one bit of an older frame flipped. */
async function killed(t: TestContext) {
  const rig = disk(t);
  const store = await rig.start();
  for (let n = 0; n < BATCHES; n++) await rig.put(store, String(n));
  const copy = (name: string): string => {
    mkdirSync(join(rig.dir, name));
    const file = join(rig.dir, name, 'queue.db');
    for (const suffix of ['', '-wal']) copyFileSync(`${rig.file}${suffix}`, `${file}${suffix}`);
    const log = readFileSync(`${file}-wal`);
    const at = 32 + (24 + PAGE_BYTES) * 20 + 5000;
    log[at] = log[at]! ^ 1;
    writeFileSync(`${file}-wal`, log);
    return file;
  };
  return { ...rig, copy };
}

function planOf(file: string): Plan {
  const settings = { file, sync: 'normal', deadLetters: { maxAgeMs: 1e12, maxBytes: 1e12 } };
  const outbox = { sending_queue: { enabled: true, storage: 's', queue_size: ROOMY.capacity, sizer: 'bytes' } };
  const extensions = new Map([['s', { factory: { provides: ['storage'], create: () => ({ queueFile: settings }) } }]]);
  const plan = { extensions: ['s'], components: { extensions, exporters: new Map([['a', { outbox }]]) } };
  return plan as unknown as Plan;
}

const options = (dir: string, given: Partial<QueueOptions>): QueueOptions => ({
  ...{ queue: undefined, format: 'text', dead: false, all: false, keep: false, yes: false, to: join(dir, 'out') },
  ...{ limit: undefined, sinceMs: undefined, untilMs: undefined },
  ...given,
});

test('no verb on a stopped gateway loses what stands behind a damaged place of the log', async t => {
  const { copy, dir } = await killed(t);
  for (const [verb, given] of Object.entries(VERBS) as [QueueVerb, Partial<QueueOptions>][]) {
    const file = copy(verb);
    const heard: string[] = [];
    const say = { out() {}, err: (text: string) => void heard.push(text), confirm: undefined };
    assert.equal(await queueCommand(verb, planOf(file), options(dir, given), say), 0, heard.join(''));
    assert.match(heard.join(''), /the log of the queue file was damaged in \d+ of \d+ places/);
    assert.ok(readdirSync(join(dir, verb)).some(name => name.includes('-wal.damaged-')));
    const { database, warnings } = openQueueFile(file, 'normal', Date.now());
    assert.equal(database.entries().length, BATCHES, verb);
    assert.deepEqual(warnings, []);
    database.close();
  }
});

test('a log that looks damaged while its owner has it is left alone', async t => {
  const { copy } = await killed(t);
  const file = copy('kept');
  const holder = openQueueFile(file, 'normal', Date.now()).database;
  const log = readFileSync(`${file}-wal`);
  // As a log looks while its owner writes it.
  writeFileSync(`${file}-wal`, readFileSync(`${copy('other')}-wal`));
  assert.throws(() => mendLogFile(file, Date.now()), { reason: 'in_use' });
  writeFileSync(`${file}-wal`, log);
  holder.close();
});

test('a file whose gateway runs is left to it', async t => {
  const { file } = await killed(t);
  const way = reach({ settings: { file, sync: 'normal' } as never, readers: new Map() }, {
    telemetry: { admin: { endpoint: '127.0.0.1:1' } },
  } as never)!;
  assert.equal(way.how, 'gateway');
  way.close();
});
