// `flamegate queue` as an operator types it: on a gateway that runs, through its admin port, and on the file that it left.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { main } from '../../src/cli.ts';
import { type Ended, flamegate } from '../kit/cli.ts';
import { freePort, Gateway } from '../kit/gateway.ts';
import { factsOf, numbered } from '../kit/pprof.ts';
import { FakeStore } from '../kit/store.ts';

const TOKEN = 's3cret-s3cret';

/** The command in this process, which begins in no time; one test types it for real. */
async function command(args: string[]): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  const code = await main(args, {
    out: text => {
      said.stdout += text;
    },
    err: text => {
      said.stderr += text;
    },
    confirm: undefined,
  });
  return { code, ...said };
}

/** A gateway whose store `a` refuses for good and whose store `b` is down; it keeps its files after it ended. */
async function world(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'flamegate-queue-'));
  const [a, b] = [await new FakeStore().start(), await new FakeStore().start()];
  a.answer = () => ({ status: 422, body: 'no such\u001b[31mtype' });
  await b.stop();
  const port = await freePort();
  const exporter = ({ url }: FakeStore) => ({
    ...{ endpoint: url, sending_queue: { storage: 'file_storage' } },
    retry_on_failure: { initial_interval: '50ms', max_interval: '100ms' },
  });
  const config = {
    extensions: { file_storage: { directory } },
    receivers: { pyroscope: { endpoint: `127.0.0.1:${port}` } },
    exporters: { 'pyroscope/a': exporter(a), 'pyroscope/b': exporter(b) },
    service: {
      extensions: ['file_storage'],
      telemetry: { admin: { token: TOKEN } },
      pipelines: {
        'profiles/a': { receivers: ['pyroscope'], exporters: ['pyroscope/a'] },
        'profiles/b': { receivers: ['pyroscope'], exporters: ['pyroscope/b'] },
      },
    },
  };
  const gateway = await Gateway.start(config);
  t.after(async () => {
    await gateway.kill();
    await Promise.all([a.stop(), b.stop()]);
    rmSync(directory, { recursive: true });
  });
  // The gateway's own folder goes with it.
  copyFileSync(gateway.file, join(directory, 'gateway.yaml'));
  const send = async (n: number, body: Buffer) => {
    const url = `http://127.0.0.1:${port}/ingest?name=app%7Bn%3D${n}%7D&format=pprof`;
    assert.equal((await fetch(url, { method: 'POST', body: new Uint8Array(body) })).status, 200);
  };
  const queue = (...args: string[]) => command(['queue', ...args, '--config', join(directory, 'gateway.yaml')]);
  /** The store has refused so many, and the file knows: a question of an operator waits for what was written before. */
  const refused = async (count: number) => {
    const rejects = () => gateway.logs.filter(({ msg }) => msg === 'batch rejected by the store').length === count;
    await gateway.until(() => rejects() || undefined, 'rejects');
    await fetch(`${gateway.admin}/api/v1/queues`, { headers: { authorization: `Bearer ${TOKEN}` } });
  };
  return { gateway, a, b, send, queue, refused, file: join(directory, 'queue.db'), directory };
}

const listed = ({ stdout }: Ended) =>
  (
    JSON.parse(stdout) as {
      queues: { queue: string; pending: { batches: number }; dead: { reason: string; batches: number }[] }[];
    }[]
  )
    .flatMap(({ queues }) => queues)
    .map(
      ({ queue, pending, dead }) =>
        `${queue} ${pending.batches} ${dead.map(({ batches, reason }) => `${reason} ${batches}`)}`,
    );

test('a running gateway: list, look, export, replay, verify, purge', async t => {
  const { gateway, a, b, send, queue, refused, file, directory } = await world(t);
  for (let n = 1; n <= 3; n++) await send(n, n === 3 ? numbered(n) : gzipSync(numbered(n)));
  await refused(3);

  const ls = await queue('ls', '--format', 'json');
  assert.equal(ls.stderr, `${file}: in use, asked the gateway at ${gateway.admin}\n`);
  assert.deepEqual(listed(ls), ['pyroscope/a 0 rejected 3', 'pyroscope/b 3 ']);
  const table = await queue('ls');
  assert.match(
    table.stdout,
    /^QUEUE +PENDING +BYTES .*\npyroscope\/a +0 +0 B .*rejected 3 \(\d+ B, oldest \d+s\)\npyroscope\/b +3 /,
  );

  const peek = await queue('peek', 'pyroscope/a', '--dead', '--limit', '2');
  assert.equal(peek.stdout.match(/ {2}dead {2}stored \d+s ago {2}1 attempt /g)?.length, 2, peek.stdout);
  assert.match(peek.stdout, /rejected \d+s ago: store answered 422: no such/);
  assert.match(peek.stdout, /\{service_name="app", n="1"\} {2}pprof gzip {2}\d+ B {2}by ingest/);
  assert.match(peek.stderr, /the oldest 2; --limit shows more/);
  const unknown = await queue('peek', 'pyroscope/c');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /there is no queue `pyroscope\/c` in .*queue\.db; did you mean `pyroscope\/a`\?/);

  const to = join(directory, 'out');
  assert.equal(
    (await queue('export', 'pyroscope/a', '--to', to)).stdout,
    `exported 3 profiles of 3 batches to ${to}\n`,
  );
  checkExport(to, 'pyroscope/a');

  assert.deepEqual(
    [await queue('verify')].map(({ code, stdout }) => [code, stdout.replace(/\d+ B/, 'N B')]),
    [[0, `${file}: 6 entries, 6 payloads, N B: all sound\n`]],
  );

  assert.match(
    (await queue('replay', '--to', 'pyroscope/x')).stderr,
    /no exporter `pyroscope\/x` .*did you mean `pyroscope\/a`\?/,
  );
  const replay = await queue('replay', 'pyroscope/a', '--to', 'pyroscope/b');
  assert.deepEqual(
    [replay.code, replay.stdout],
    [0, 'replayed 3 batches with 3 profiles to pyroscope/b\n'],
    replay.stderr,
  );
  await b.start();
  await b.until(() => b.deliveries.length === 6, 'everything');
  assert.deepEqual(b.deliveries.map(({ query }) => /n%3D(\d)/.exec(query)![1]).toSorted(), [
    '1',
    '1',
    '2',
    '2',
    '3',
    '3',
  ]);
  await b.stop();

  await send(4, numbered(4));
  await refused(4);
  assert.match((await queue('purge', '--dead')).stderr, /would delete dead letters of every queue; add --yes to do it/);
  assert.match((await queue('purge', '--dead', '--all')).stderr, /say what to delete/);
  assert.match((await queue('purge', '--dead', '--yes')).stdout, /^deleted 1 batches, \d+ B\n$/);
  assert.match((await queue('purge', 'pyroscope/b', '--all', '--yes')).stdout, /^deleted [01] batches/);
  assert.equal(a.requests, 4);
  await gateway.stop();
});

test('a stopped gateway: the same on the file, and what was replayed is delivered by the next start', async t => {
  const { gateway, b, send, queue: stopped, refused, file, directory } = await world(t);
  for (let n = 1; n <= 3; n++) await send(n, n === 3 ? numbered(n) : gzipSync(numbered(n)));
  await refused(3);
  await gateway.kill();

  const ls = await stopped('ls', '--format', 'json');
  assert.equal(ls.stderr, `${file}: no process has it, opened directly\n`);
  assert.deepEqual(listed(ls), ['pyroscope/a 0 rejected 3', 'pyroscope/b 3 ']);
  // A queue that no exporter reads any more.
  const off = ['--set', 'exporters.pyroscope/a.sending_queue.enabled=false'];
  const renamed = await flamegate(['queue', 'ls', '--config', 'gateway.yaml', ...off], { cwd: directory });
  assert.match(renamed.stdout, /pyroscope\/a .* no exporter reads it\n/);

  assert.equal(
    (await stopped('export', '--dead', '--to', join(directory, 'out'))).stdout,
    `exported 3 profiles of 3 batches to ${join(directory, 'out')}\n`,
  );
  checkExport(join(directory, 'out'), 'pyroscope/a');
  const later = await stopped('export', '--since', '2999-01-01', '--to', join(directory, 'later'));
  assert.match(later.stdout, /^exported 0 profiles of 0 batches/);

  assert.equal(
    (await stopped('replay', '--to', 'pyroscope/b')).stdout,
    'replayed 3 batches with 3 profiles to pyroscope/b\n',
  );
  assert.deepEqual(listed(await stopped('ls', '--format', 'json')), ['pyroscope/a 0 ', 'pyroscope/b 6 ']);
  await b.start();
  const again = await Gateway.startWith(['--config', join(directory, 'gateway.yaml')]);
  await b.until(() => b.deliveries.length === 6, 'what was replayed');
  assert.equal(await again.stop(), 0);

  assert.deepEqual(await stopped('verify'), {
    ...{ code: 0, stdout: `${file}: 0 entries, 0 payloads, 0 B: all sound\n` },
    stderr: `${file}: no process has it, opened directly\n`,
  });
  assert.match(
    (await stopped('verify', '--set', `extensions.file_storage.directory=${directory}/none`)).stderr,
    /does not exist, nothing was queued there yet/,
  );
});

test('a replay says what it leaves: what lies in another file, and what failed in a stage', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'flamegate-queue-'));
  const store = await new FakeStore().start();
  store.answer = () => ({ status: 422, body: 'no' });
  const port = await freePort();
  const exporter = (storage: string) => ({ endpoint: store.url, sending_queue: { storage } });
  const gateway = await Gateway.start({
    plugins: [resolve('test/kit/stages/trial')],
    extensions: {
      file_storage: { directory: join(directory, 'a') },
      'file_storage/b': { directory: join(directory, 'b') },
    },
    receivers: { self: {}, pyroscope: { endpoint: `127.0.0.1:${port}` } },
    processors: { trial: {} },
    exporters: { 'pyroscope/a': exporter('file_storage'), 'pyroscope/b': exporter('file_storage/b') },
    service: {
      extensions: ['file_storage', 'file_storage/b'],
      pipelines: {
        'profiles/a': { receivers: ['pyroscope'], processors: ['trial'], exporters: ['pyroscope/a'] },
        'profiles/b': { receivers: ['self'], exporters: ['pyroscope/b'] },
      },
    },
  });
  t.after(async () => {
    await gateway.kill();
    await store.stop();
    rmSync(directory, { recursive: true });
  });
  copyFileSync(gateway.file, join(directory, 'gateway.yaml'));
  for (const name of ['good', 'app{trial=throw}']) {
    const url = `http://127.0.0.1:${port}/ingest?name=${encodeURIComponent(name)}&format=pprof`;
    await fetch(url, { method: 'POST', body: new Uint8Array(numbered(7)) });
  }
  await gateway.until(() => gateway.logs.some(({ msg }) => msg === 'batch rejected by the store') || undefined, 'it');
  // As a process: the plugin finds our sources only under the launcher.
  const queue = (...args: string[]) => flamegate(['queue', ...args, '--config', join(directory, 'gateway.yaml')]);
  const across = await queue('replay', '--to', 'pyroscope/b');
  assert.equal(across.code, 1);
  assert.match(across.stdout, /^replayed 0 batches/, across.stderr);
  assert.match(
    across.stderr,
    /\n.*flamegate: 1 batches lie in .*\/a\/queue\.db and were left: .* in .*\/b\/queue\.db/s,
  );
  const named = await queue('replay', 'pyroscope/a', '--to', 'pyroscope/b');
  assert.deepEqual([named.code, /1 batches lie in/.test(named.stderr)], [1, true]);
  const within = await queue('replay', '--to', 'pyroscope/a');
  assert.deepEqual([within.code, within.stdout], [0, 'replayed 1 batches with 1 profiles to pyroscope/a\n']);
  assert.match(within.stderr, /1 batches that failed in a stage were left/);
  const stage = await queue('replay', 'stage:profiles/a/trial', '--to', 'pyroscope/a');
  assert.deepEqual([stage.code, stage.stdout], [0, 'replayed 1 batches with 1 profiles to pyroscope/a\n']);
  assert.match(stage.stderr, /warning: what is in stage:profiles\/a\/trial failed in a stage; .* no stage runs on it/);
});

test('damage is found: exit 1, the entry named', async t => {
  const { gateway, send, queue, refused, file, directory } = await world(t);
  for (let n = 1; n <= 3; n++) await send(n, numbered(n));
  await refused(3);
  await gateway.kill();
  const db = new DatabaseSync(file);
  db.exec(
    'UPDATE payload SET body = zeroblob(20) WHERE id = (SELECT min(payload) FROM entry WHERE dead_ms IS NOT NULL)',
  );
  db.close();
  const verified = await queue('verify');
  assert.equal(verified.code, 1);
  assert.match(
    verified.stdout,
    /: entry \d+ of pyroscope\/a: payload \d+ is damaged: wrong checksum\n.*: 6 entries, .*: 1 damaged\n/,
  );
  const exported = await queue('export', 'pyroscope/a', '--to', join(directory, 'out'));
  assert.equal(exported.code, 1);
  assert.match(exported.stdout, /exported 2 profiles of 2 batches to .*, 1 are damaged\n/);
  // Something else has the file, and no gateway answers.
  const other = new DatabaseSync(file);
  other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE');
  const busy = await queue('ls');
  other.close();
  assert.equal(busy.code, 1);
  assert.match(
    busy.stderr,
    /queue\.db is in use, and no gateway answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/,
  );
});

test('without its token the gateway says no', async t => {
  const { gateway, queue } = await world(t);
  const wrong = await queue('ls', '--set', 'service.telemetry.admin.token=wrong');
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /answered 401: the admin token is missing or wrong/);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const purge = `${gateway.admin}/api/v1/queues/purge?state=all`;
  assert.equal((await fetch(purge, { method: 'POST' })).status, 401);
  const evil = await fetch(purge, { method: 'POST', headers: { ...headers, origin: 'https://evil.example' } });
  assert.deepEqual(
    [evil.status, await evil.json()],
    [403, { code: 'forbidden', message: 'a page of another site may not ask for this' }],
  );
  assert.equal((await fetch(purge, { method: 'POST', headers: { ...headers, origin: gateway.admin } })).status, 200);
  await gateway.stop();
});

/** Payloads byte by byte as they were sent, and what is known of each beside them. */
function checkExport(dir: string, queue: string): void {
  const names = readdirSync(dir).toSorted();
  assert.deepEqual(
    names.map(name => name.replace(/^\d{8}T\d{6}\.\d{3}-pyroscope_a-\d+-0/, '')),
    ['.json', '.pb.gz', '.json', '.pb.gz', '.json', '.pb'],
  );
  for (const [at, name] of names.filter(one => one.endsWith('.json')).entries()) {
    const known = JSON.parse(readFileSync(join(dir, name), 'utf8'));
    const bytes = readFileSync(join(dir, known.payload));
    assert.equal(factsOf(bytes).sums[0], String(at + 1));
    assert.equal(known.payload.endsWith('.gz'), bytes[0] === 0x1f);
    assert.deepEqual(
      [known.queue, known.labels, known.state, known.reason, known.attempts, known.form, known.origin.door],
      [queue, { n: String(at + 1), service_name: 'app' }, 'dead', 'rejected', 1, 'pprof', 'ingest'],
    );
    assert.ok(known.encoding === 'identity' || gunzipSync(bytes).length > 0);
    assert.match(known.message, /422/);
    assert.ok(Date.parse(known.received) <= Date.parse(known.dead));
  }
}
