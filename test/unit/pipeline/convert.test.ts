import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Result, Takes } from '../../../src/api/index.ts';
import { BatchId, type Profile, type ProfileBatch } from '../../../src/model/batch.ts';
import type { Payload } from '../../../src/model/payload.ts';
import { Converter } from '../../../src/pipeline/outbox/convert.ts';
import { sendConverted } from '../../../src/pipeline/outbox/send.ts';
import { examinePprof } from '../../../src/wire/pprof/payload.ts';
import { scanPprof } from '../../../src/wire/pprof/scan.ts';
import { convert } from '../../../src/workers/convert.ts';
import { recordedJfr, soundForms } from '../../kit/forms.ts';
import { dictionary } from '../../kit/otlp.ts';
import { attributesOf, profilesIn, resolvedProfiles, sumOf } from '../../kit/otlp-resolved.ts';
import { numbered } from '../../kit/pprof.ts';
import { soundProfiles } from '../../kit/profiles.ts';
import { bytes, number, text } from '../../kit/protobuf.ts';

const WALL = '001-jfr-wall-basic-tenant';
const OTLP: Takes = { forms: ['otlp'] };
const PPROF: Takes = { forms: ['pprof', 'jfr'] };
const folded = (query?: string): Profile => ({
  attributes: new Map([['service_name', 'app']]),
  payload: { form: 'groups', encoding: 'identity', bytes: soundForms.groups },
  part: 0,
  ...(query !== undefined && { origin: { door: 'ingest', query } }),
});

/** A batch on a converter whose tasks run here. */
function rig(takes: Takes) {
  const losses = new Map<string, number>();
  const dropped = new Map<string, number>();
  const tasks: string[] = [];
  let charged = 0;
  let next: 'done' | 'gone' | 'failed' = 'done';
  let held: Promise<void> | undefined;
  const pool = {
    run: async (_name: string, task: Parameters<typeof convert>[0]) => {
      tasks.push(task.to);
      await held;
      if (next === 'done') return { kind: 'done', value: await convert(task), waitMs: 0, runMs: 0 };
      return next === 'gone' ? { kind: 'gone' } : { kind: 'failed', reason: 'hung', message: 'did not end' };
    },
  };
  const count = (into: Map<string, number>) => (key: string, items: number) =>
    void into.set(key, (into.get(key) ?? 0) + items);
  const converter = new Converter({
    takes,
    pool: pool as never,
    memory: {
      reserve: async () => () => {},
      charge: bytes => {
        charged += bytes;
      },
    },
    examiner: { summary: async ({ payload }) => (await examinePprof(payload, 1 << 26)).summary },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    lost: count(losses),
    dropped: (items, reason) => count(dropped)(reason, items),
  });
  const sent: ProfileBatch[] = [];
  let answer: (batch: ProfileBatch) => Result<ProfileBatch> = () => ({ kind: 'accepted' });
  const tried = (batch: ProfileBatch) =>
    sendConverted(
      converter,
      batch,
      async ready => {
        sent.push(ready as ProfileBatch);
        return answer(ready as ProfileBatch);
      },
      new AbortController().signal,
    );
  const send = async (batch: ProfileBatch) => (await tried(batch)).result;
  return {
    losses,
    dropped,
    tasks,
    sent,
    send,
    tried,
    charged: () => charged,
    answer: (with_: typeof answer) => {
      answer = with_;
    },
    hold: (until: Promise<void>) => {
      held = until;
    },
    next: (what: typeof next) => {
      next = what;
    },
  };
}

const pprof = (value: number, encoding: 'identity' | 'gzip' = 'identity'): Payload => ({
  form: 'pprof',
  encoding,
  bytes: encoding === 'gzip' ? gzipSync(numbered(value)) : numbered(value),
});
const named = (payload: Payload, service: string, part = 0): Profile => ({
  attributes: new Map([['service.name', service]]),
  payload,
  part,
});
function batchOf(...profiles: Profile[]): ProfileBatch {
  const sizeBytes = profiles.reduce((sum, { payload }) => sum + payload.bytes.length, 0);
  const head = { id: BatchId.of('id'), tenant: 't', dialect: 'otel', receivedMs: 1_700_000_000_000 } as const;
  return { signal: 'profiles', ...head, sizeBytes, profiles };
}

const SAMPLE = [...number(1, 1), ...bytes(4, [7])];
const PROFILE = [...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, SAMPLE)];
const part = (service: string) => [
  ...bytes(1, bytes(1, [...text(1, 'service.name'), ...bytes(2, text(1, service))])),
  ...bytes(2, bytes(2, PROFILE)),
];
const TWO: Payload = {
  form: 'otlp',
  encoding: 'identity',
  bytes: Buffer.from([...bytes(1, part('a')), ...bytes(1, part('b')), ...dictionary()]),
};

describe('what a store is sent', () => {
  test('a batch that the store takes is the same object, and no task runs', async () => {
    const { send, sent, tasks } = rig(PPROF);
    const batch = batchOf(named(pprof(1), 'a'), named({ form: 'jfr', encoding: 'identity', bytes: Buffer.of(1) }, 'b'));
    await send(batch);
    assert.equal(sent[0], batch);
    assert.deepEqual(tasks, []);
  });

  const jfr: Profile = {
    attributes: new Map([['service_name', 'app']]),
    payload: { form: 'jfr', encoding: 'gzip', bytes: recordedJfr('pyroscope-java-agent-2.9.2-wall-auth', WALL).jfr },
    part: 0,
    origin: { door: 'ingest', query: 'name=app&sampleRate=100&format=jfr', parts: {} },
  };

  test('one payload may become several profiles, each with what its form said of its series', async () => {
    const { send, sent, tasks } = rig({ forms: ['pprof'] });
    await send(batchOf(jfr, folded('name=app.alloc_space')));
    assert.deepEqual(tasks, ['pprof', 'pprof']);
    const { profiles } = sent[0]!;
    assert.deepEqual(
      profiles.map(({ attributes, payload }) => [
        attributes.get('__name__'),
        attributes.get('jfr_event'),
        payload.form,
      ]),
      [
        ['process_cpu', 'wall', 'pprof'],
        ['wall', 'wall', 'pprof'],
        ['memory', undefined, 'pprof'],
      ],
    );
    assert.ok(profiles.every(({ origin }) => origin?.converted && !origin.parts));
    assert.equal(scanPprof(profiles[2]!.payload.bytes).types[0]!.total, 3n);
  });

  test('of one OTLP request they are several parts, in the order of the batch', async () => {
    const { send, sent } = rig(OTLP);
    await send(batchOf(named(pprof(3), 'x'), jfr, folded('name=app.cpu')));
    const { profiles } = sent[0]!;
    assert.deepEqual(
      profiles.map(({ attributes, part }) => [attributes.get('__name__'), part]),
      [
        [undefined, 0],
        ['process_cpu', 1],
        ['wall', 2],
        ['process_cpu', 3],
      ],
    );
    const names = resolvedProfiles(profiles[0]!.payload.bytes).map(({ resource }) => attributesOf(resource).__name__);
    assert.deepEqual(names, [undefined, 'process_cpu', 'wall', 'process_cpu']);
  });

  test('folded text is one for each sample type, speedscope one file', async () => {
    const texts = rig({ forms: ['groups'] });
    await texts.send(batchOf(jfr));
    assert.deepEqual(
      texts.sent[0]!.profiles.map(({ attributes, payload }) => [attributes.get('__type__'), payload.form]),
      [
        ['cpu', 'groups'],
        ['wall', 'groups'],
      ],
    );
    const files = rig({ forms: ['speedscope'] });
    await files.send(batchOf(jfr));
    const [{ payload }] = files.sent[0]!.profiles as [Profile];
    assert.equal(JSON.parse(Buffer.from(payload.bytes).toString()).profiles.length, 2);
  });

  test('all pprof of a batch become parts of one OTLP request', async () => {
    const { send, sent, tasks } = rig(OTLP);
    assert.equal((await send(batchOf(named(pprof(3), 'x'), named(pprof(5, 'gzip'), 'y')))).kind, 'accepted');
    const [first, second] = sent[0]!.profiles;
    assert.deepEqual(tasks, ['otlp']);
    assert.equal(first!.payload, second!.payload);
    assert.deepEqual([first!.part, second!.part], [0, 1]);
    const resources = resolvedProfiles(first!.payload.bytes);
    assert.deepEqual(
      resources.map(({ resource }) => attributesOf(resource as never)),
      [{ 'service.name': 'x' }, { 'service.name': 'y' }],
    );
    assert.deepEqual(profilesIn(first!.payload.bytes).map(sumOf), [3n, 5n]);
  });

  test('pprof among OTLP, and parts that were edited alone, leave with the others as one request', async () => {
    const { send, sent, tasks, charged } = rig(OTLP);
    const edited: Payload = { ...TWO, bytes: Buffer.from([...bytes(1, part('edited')), ...dictionary()]) };
    await send(batchOf(named(TWO, 'a', 0), named(edited, 'edited', 0), named(pprof(3), 'x')));
    assert.deepEqual(tasks, ['otlp', 'one']);
    const { profiles } = sent[0]!;
    assert.equal(new Set(profiles.map(({ payload }) => payload)).size, 1);
    assert.deepEqual(
      profiles.map(({ attributes, part }) => [attributes.get('service.name'), part]),
      [
        ['a', 0],
        ['edited', 1],
        ['x', 2],
      ],
    );
    assert.deepEqual(profilesIn(profiles[0]!.payload.bytes).map(sumOf), [7n, 7n, 3n]);
    const one = batchOf(named(TWO, 'a', 0), named(TWO, 'b', 1));
    await send(one);
    assert.equal(sent[1], one, 'what came as one request stays as it is');
    assert.equal(charged(), 0, 'what was converted is not held any more');
  });

  test('each part of an OTLP request becomes a pprof with the envelope of its profile', async () => {
    const { send, sent, tasks } = rig(PPROF);
    const batch = batchOf(named(TWO, 'edited', 1), named(TWO, 'a', 0));
    await send(batch);
    assert.deepEqual(tasks, ['pprof']);
    const { profiles, sizeBytes } = sent[0]!;
    assert.deepEqual(
      profiles.map(({ attributes, part, payload }) => [attributes.get('service.name'), part, payload.form]),
      [
        ['edited', 0, 'pprof'],
        ['a', 0, 'pprof'],
      ],
    );
    for (const { payload } of profiles) assert.equal(scanPprof(payload.bytes).types[0]?.total, 7n);
    assert.equal(sizeBytes, profiles[0]!.payload.bytes.length + profiles[1]!.payload.bytes.length);
  });

  test('a profile beyond the limits goes out in pieces with the same totals, whatever it was compressed with', async () => {
    const raw = soundProfiles().find(({ raw }) => scanPprof(raw).samples > 40 && scanPprof(raw).samples < 150)!.raw;
    const whole = scanPprof(raw);
    const { send, sent } = rig({ ...PPROF, limits: { bytes: raw.length, samples: 15 } });
    await send(batchOf(named({ form: 'pprof', encoding: 'gzip', bytes: gzipSync(raw) }, 'a'), named(pprof(1), 'b')));
    const pieces = sent[0]!.profiles.slice(0, -1).map(({ payload }) => scanPprof(payload.bytes));
    assert.ok(pieces.length > 2);
    for (const [at, { total }] of whole.types.entries())
      assert.equal(
        pieces.reduce((sum, piece) => sum + piece.types[at]!.total, 0n),
        total,
      );
    assert.equal(sent[0]!.profiles.at(-1)!.attributes.get('service.name'), 'b');
  });
});

describe('what cannot be converted', () => {
  const bad = named({ form: 'pprof', encoding: 'identity', bytes: Buffer.from('no profile') }, 'bad');

  test('is a drop beside what the store took', async () => {
    const { send, sent } = rig(OTLP);
    const result = await send(batchOf(named(pprof(1), 'a'), bad, named(pprof(2), 'b')));
    assert.ok(result.kind === 'accepted');
    assert.deepEqual(
      result.drops?.map(({ items, reason }) => [items, reason]),
      [[1, 'conversion_failed']],
    );
    assert.deepEqual(profilesIn(sent[0]!.profiles[0]!.payload.bytes).map(sumOf), [1n, 2n]);
  });

  test('is permanent where nothing else is left, and the store is not asked', async () => {
    const { send, sent } = rig(OTLP);
    const result = await send(batchOf(bad));
    assert.ok(result.kind === 'permanent' && result.error.message.includes('cannot be converted'));
    assert.equal(sent.length, 0);
  });

  test('a form that a store lets pass goes out as it came, the others are made what it takes', async () => {
    const { send, sent } = rig({ forms: ['pprof'], asItCame: ({ origin }) => origin?.query === 'name=as.it.came' });
    const passing = folded('name=as.it.came');
    await send(batchOf(passing, folded('name=app.cpu')));
    assert.equal(sent[0]!.profiles[0], passing);
    assert.equal(sent[0]!.profiles[1]!.payload.form, 'pprof');
  });

  test('a store that takes nothing that can be written gets everything as it came', async () => {
    const { send, sent } = rig({ forms: ['jfr'] });
    const batch = batchOf(folded());
    await send(batch);
    assert.equal(sent[0], batch);
  });

  test('a task that took its thread with it is a failure of its profiles; one that never ran is tried again', async () => {
    const hung = rig(OTLP);
    hung.next('failed');
    const two = await hung.tried(batchOf(named(pprof(1), 'a'), named(pprof(2), 'b')));
    assert.deepEqual([two.result.kind, two.asked], ['permanent', false], 'the store has said nothing');
    assert.equal(hung.tasks.length, 3, 'both together, then each alone');
    const gone = rig(OTLP);
    gone.next('gone');
    assert.equal((await gone.send(batchOf(named(pprof(1), 'a')))).kind, 'retryable');
    assert.equal(gone.sent.length, 0);
  });

  test('counts once: with the delivery, or with a rest that no longer has it', async () => {
    const { send, sent, answer, dropped } = rig(OTLP);
    const down: Result<ProfileBatch> = { kind: 'retryable', error: new Error('down') };
    answer(() => down);
    const batch = batchOf(named(pprof(1), 'a'), bad, named(pprof(2), 'b'));
    assert.equal((await send(batch)).kind, 'retryable');
    assert.equal(dropped.size, 0, 'the whole batch comes again');
    answer(ready => ({ ...down, rest: { ...ready, profiles: ready.profiles.slice(1) } }));
    const result = await send(batch);
    assert.equal(dropped.get('conversion_failed'), 1);
    assert.ok(result.kind === 'retryable' && result.rest);
    answer(() => ({ kind: 'accepted' }));
    assert.deepEqual(await send(result.rest as ProfileBatch), { kind: 'accepted' });
    assert.deepEqual(
      sent.at(-1)!.profiles.map(({ attributes }) => attributes.get('service.name')),
      ['b'],
    );
  });
});

describe('what is converted at a time', () => {
  const turn = () => new Promise(resolve => setImmediate(resolve));

  test('is bounded before it is converted: a batch waits for one that takes all the room', async () => {
    const { send, tasks, hold, next } = rig(OTLP);
    const first = Promise.withResolvers<void>();
    hold(first.promise);
    next('gone');
    const large = (): Payload => ({ form: 'pprof', encoding: 'identity', bytes: Buffer.alloc(64 * 1024 * 1024) });
    const tries = [send(batchOf(named(large(), 'a'))), send(batchOf(named(pprof(1), 'b')))];
    await turn();
    assert.equal(tasks.length, 1);
    first.resolve();
    await Promise.all(tries);
    assert.equal(tasks.length, 2, 'a conversion that fails gives its room back');
  });

  test('what stayed as it was is not counted again', async () => {
    const { send, answer, charged } = rig({ ...PPROF, limits: { bytes: 1 << 20, samples: 15 } });
    const raw = soundProfiles().find(({ raw }) => scanPprof(raw).samples > 40 && scanPprof(raw).samples < 150)!.raw;
    const small = named(pprof(1), 'b');
    let made = 0;
    answer(({ profiles }) => {
      made = profiles
        .filter(({ payload }) => payload !== small.payload)
        .reduce((sum, p) => sum + p.payload.bytes.length, 0);
      assert.equal(charged(), made);
      return { kind: 'accepted' };
    });
    await send(batchOf(named({ form: 'pprof', encoding: 'identity', bytes: raw }, 'a'), small));
    assert.ok(made > 0);
    assert.equal(charged(), 0);
  });
});

test('what the form could not carry is counted when the store took it, not with every try', async () => {
  const timed = [...SAMPLE, ...bytes(5, [1, 2, 3, 4, 5, 6, 7, 8])];
  const profile = [...bytes(1, [...number(1, 1), ...number(2, 2)]), ...bytes(2, timed)];
  const payload: Payload = {
    form: 'otlp',
    encoding: 'identity',
    bytes: Buffer.from([...bytes(1, bytes(2, bytes(2, profile))), ...dictionary()]),
  };
  const { send, answer, losses } = rig(PPROF);
  answer(() => ({ kind: 'retryable', error: new Error('down') }));
  await send(batchOf(named(payload, 'a')));
  assert.equal(losses.size, 0);
  answer(() => ({ kind: 'accepted' }));
  await send(batchOf(named(payload, 'a')));
  assert.equal(losses.get('otlp_timestamp'), 1);
});
