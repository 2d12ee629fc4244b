// The forms of before protobuf are read as google/pprof reads them: types, values, addresses, mappings, names of Java.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { decodeLegacy } from '../../src/wire/legacy/decode.ts';
import { encodePprof } from '../../src/wire/pprof/encode.ts';
import { corpusDir } from '../kit/corpus.ts';
import { goCount, goHeap, legacyVectors } from '../kit/legacy.ts';
import { missing } from './programs.ts';

const GO_TEXTS = ['014-goroutine-debug1.body', '016-heap-debug1.body', '017-mutex-debug1.body'];

function corpus(): [string, Buffer][] {
  if (!corpusDir) return [];
  const legacy = join(corpusDir, 'legacy');
  const go = join(corpusDir, 'traffic/go-net-http-pprof-1.26.8');
  return [...readdirSync(legacy).map(file => join(legacy, file)), ...GO_TEXTS.map(file => join(go, file))].map(file => [
    file,
    readFileSync(file),
  ]);
}

test('go tool pprof -raw says the same of a legacy profile as of the pprof we make of it', async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  execFileSync('go', ['tool', 'pprof', '-h'], { stdio: 'ignore' });
  const pprof = execFileSync('go', ['tool', '-n', 'pprof'], { encoding: 'utf8' }).trim();
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-legacy-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const raw = (bytes: Uint8Array) => {
    const file = join(dir, 'profile');
    writeFileSync(file, bytes);
    return execFileSync(pprof, ['-raw', '-symbolize=none', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const own: [string, Buffer][] = [
    ...legacyVectors,
    ['goroutines of Go', Buffer.from(goCount)],
    ['heap of Go', Buffer.from(goHeap)],
  ];
  for (const [name, bytes] of [...own, ...corpus()]) {
    assert.equal(withoutExtras(raw(encodePprof(decodeLegacy(bytes)))), withoutExtras(raw(bytes)), name);
  }
  t.diagnostic(`${own.length} of our own and ${corpus().length} of the corpus`);
});

/**
 * Without what pprof does not read in these texts: names of addresses, their labels, and that mappings have names then. Java's
 * names, which belong to no address, stay. A label of 0 is none in protobuf.
 */
function withoutExtras(said: string): string {
  return inPlace(
    said
      .replace(/^( +\d+: 0x0*[1-9a-f][0-9a-f]*(?: M=\d+)?) .*(?:\n {13}.*)*$/gm, '$1 ')
      .replace(/\n +bytes:\[0\]$/gm, '')
      .replace(/\n +(?:controller|vehicle):\[.*$/gm, '')
      .replace(/\[(?:FN|FL|LN|IN)\]/g, ''),
  );
}

/** Stacks of locations instead of their numbers: pprof keeps those that no sample leads to any more. */
function inPlace(said: string): string {
  const [samples = '', rest = ''] = said.split('Locations\n');
  const [locations = '', mappings = ''] = rest.split('Mappings\n');
  const known = new Map(
    locations.split(/\n(?= +\d+: )/).map(one => [/^ *(\d+): /.exec(one)?.[1], one.replace(/^ *\d+: /, '').trim()]),
  );
  const stacks = samples.replace(/^( [-\d ]+: )([\d ]+)$/gm, (_all, values: string, ids: string) =>
    [
      values,
      ...ids
        .trim()
        .split(' ')
        .map(id => known.get(id)),
    ].join(' | '),
  );
  return `${stacks}Mappings\n${mappings}`;
}
