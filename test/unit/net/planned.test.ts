import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Listen, Protocol } from '../../../src/api/index.ts';
import { PlannedPorts } from '../../../src/net/planned.ts';

const handle = async () => ({ status: 200 });
const protocol = (...paths: string[]): Protocol => ({
  name: 'p',
  routes: paths.map(path => {
    const [method, where] = path.split(' ') as ['GET' | 'POST', string];
    return { method, path: where, handle };
  }),
});

function problems(...bound: [owner: string, at: string | Listen, ...paths: string[]][]): string[] {
  const ports = new PlannedPorts();
  for (const [owner, at, ...paths] of bound)
    ports.bind(owner, typeof at === 'string' ? { endpoint: at } : at, protocol(...paths));
  return ports.problems;
}

test('two owners of the same path on one address are named, with the path', () => {
  assert.deepEqual(problems(['receiver a', ':1', 'POST /x', 'GET /y'], ['receiver b', '[::]:1', 'GET /y', 'GET /z']), [
    'receiver a and receiver b both serve GET /y on :1: the second would never get a request; give one of them another endpoint',
  ]);
  for (const [one, other] of [
    ['POST */ingest', 'POST */ingest'],
    ['POST */ingest', 'POST /v2/ingest'],
    ['POST /ingest', 'POST */ingest'],
    ['POST */ingest', 'POST */v2/ingest'],
  ] as const)
    assert.equal(problems(['a', 'localhost:1', one], ['b', '127.0.0.1:1', other]).length, 1, `${one} ${other}`);
});

test('what does not meet is no problem: paths, methods, ports, addresses, one owner', () => {
  assert.deepEqual(problems(['a', ':1', 'POST /x'], ['b', ':1', 'GET /x', 'POST /xx', 'POST */y']), []);
  assert.deepEqual(problems(['a', ':1', 'POST /x'], ['b', ':2', 'POST /x']), []);
  assert.deepEqual(problems(['a', '127.0.0.1:1', 'POST /x'], ['b', '127.0.0.2:1', 'POST /x']), []);
  assert.deepEqual(problems(['a', '127.0.0.1:1', 'POST /x'], ['b', '[::1]:1', 'POST /x']), []);
  assert.deepEqual(problems(['a', ':0', 'POST /x'], ['b', '127.0.0.1:0', 'POST /x']), []);
  assert.deepEqual(problems(['a', ':1', 'POST /x'], ['a', ':1', 'POST /x']), []);
});

test('addresses of which one covers the other, and one address with two tls settings', () => {
  for (const [one, other] of [
    ['0.0.0.0:1', '127.0.0.1:1'],
    ['localhost:1', ':1'],
    ['[::1]:1', ':1'],
    ['0.0.0.0:1', '[::]:1'],
  ] as const)
    assert.match(problems(['a', one, 'POST /x'], ['b', other, 'POST /y'])[0]!, /^a and b cannot both listen, on /, one);
  const tls = { cert_file: 'c', key_file: 'k' };
  assert.match(
    problems(['a', { endpoint: ':1', tls }, 'POST /x'], ['b', ':1', 'POST /y'])[0]!,
    /different tls settings/,
  );
  assert.deepEqual(problems(['a', { endpoint: ':1', tls }, 'POST /x'], ['b', { endpoint: ':1', tls }, 'POST /y']), []);
});
