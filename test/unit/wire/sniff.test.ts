// What bytes are by their content: every form told, none taken for another.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Form } from '../../../src/model/payload.ts';
import { formOf, isJsonText } from '../../../src/wire/sniff.ts';
import { corpusDir, malformed } from '../../kit/corpus.ts';
import { goCount, goHeap, legacyVectors } from '../../kit/legacy.ts';
import { made } from '../../kit/made.ts';
import { soundProfiles } from '../../kit/profiles.ts';
import { bytes, number } from '../../kit/protobuf.ts';
import { shared } from '../../kit/said.ts';

const noCorpus = corpusDir ? false : 'the shared corpus is not beside this checkout';
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const is = (form: Form | undefined, text: string | Uint8Array, what?: string) =>
  assert.equal(formOf(typeof text === 'string' ? Buffer.from(text) : text), form, what);

function corpus(folder: string): [file: string, raw: Buffer][] {
  const dir = join(corpusDir!, folder);
  return readdirSync(dir)
    .filter(file => !file.includes('labels') && !file.startsWith('MANIFEST'))
    .map(file => {
      const raw = readFileSync(join(dir, file));
      return [file, raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw];
    });
}

test('every file of the corpus', { skip: noCorpus }, () => {
  for (const form of ['pprof', 'jfr', 'speedscope', 'legacy'] as const)
    for (const [file, raw] of corpus(form)) is(form, raw, file);
  for (const [file, raw] of corpus('otlp')) is(file.includes('framed') ? undefined : 'otlp', raw, file);
  for (const [file, raw] of corpus('folded')) is('groups', raw, file);
  is('perf', readFileSync(join(corpusDir!, 'traffic/linux-perf-6.1/001-perf.script.txt')));
  const go = join(corpusDir!, 'traffic/go-net-http-pprof-1.26.8');
  for (const file of ['014-goroutine-debug1', '016-heap-debug1', '017-mutex-debug1'])
    is('legacy', readFileSync(join(go, `${file}.body`)), file);
  is(undefined, readFileSync(join(go, '015-goroutine-debug2.body')), 'stacks of goroutines are no profile');
});

test('our own recordings of pprof, and random ones', () => {
  for (const { file, raw } of soundProfiles()) is('pprof', raw, file);
  fc.assert(
    fc.property(made, ({ raw }) => {
      const form = formOf(raw);
      assert.ok(form === 'pprof' || form === undefined, form);
    }),
    { numRuns: 200 },
  );
});

test('malformed inputs are what they were, or nothing; never another form', () => {
  const may = new Map<string, readonly (Form | undefined)[]>([
    ['pprof', ['pprof', undefined]],
    ['otlp', ['otlp', undefined]],
    ['jfr', ['jfr']],
    ['speedscope', ['speedscope']],
    ['folded', ['groups', undefined]],
    ['any', [undefined]],
  ]);
  for (const { file, format, bytes: raw } of malformed(...may.keys()))
    if (!file.endsWith('.gz')) assert.ok(may.get(format)!.includes(formOf(raw)), `${file}: ${formOf(raw)}`);
});

test('JSON is told by members that may come last', () => {
  const filler = Array.from({ length: 20_000 }, (_none, at) => at);
  is(
    'speedscope',
    json({ profiles: [filler], name: 'x', $schema: 'https://www.speedscope.app/file-format-schema.json' }),
  );
  is('speedscope', json({ shared: { frames: [] }, profiles: [] }));
  is('otlp', json({ dictionary: { filler }, resourceProfiles: [] }));
  is('otlp', '\n {"resource_profiles": []}');
  is('cpuprofile', json({ nodes: [{}], startTime: 1, endTime: 2, samples: [], timeDeltas: [] }));
  is('cpuprofile', json({ timeDeltas: filler, nodes: [] }));
  is('heapprofile', json({ samples: [], head: { id: 1, callFrame: {}, selfSize: 0 } }));
  for (const other of [
    {},
    { nodes: [] },
    { head: {} },
    { resourceSpans: [] },
    { $schema: 'https://json-schema.org' },
    [1],
  ])
    is(undefined, json(other), JSON.stringify(other));
  is(undefined, `{"a":${'['.repeat(20_000)}`);
  is(undefined, '['.repeat(20_000));
});

test('a request whose bytes begin as JSON could is none', () => {
  // LF, `{`, LF, `"`: field 1 of 123 bytes that holds field 1 of 34.
  const request = Buffer.from(
    bytes(1, [...bytes(1, bytes(1, new Array(32).fill(0x20))), ...bytes(2, new Array(85).fill(0))]),
  );
  assert.equal(request.subarray(0, 4).toString(), '\n{\n"');
  assert.equal(isJsonText(request), false);
  is('otlp', request);
});

test('texts: legacy, perf, folded; and what is none of them', () => {
  for (const [name, raw] of legacyVectors) is('legacy', raw, name);
  is('legacy', goCount);
  is('legacy', goHeap);
  is('perf', '# comment\na b 1/2 [000] 1.0: 5 cycles:u: \n\t10 f (/a)\n');
  is('groups', 'main;work 3\nmain;idle 4\n');
  is('groups', Buffer.from('\ufeffmain;wörk 3\n', 'utf16le'));
  is('groups', Buffer.from('\ufeffmain;wörk 3\n', 'utf16le').swap16());
  is(undefined, Buffer.from('\ufeff', 'utf16le'));
  is('groups', 'main;work 3\r\nbad\r\nmain;idle 4');
  is('groups', `${'f;'.repeat(20)}g 1\n`.repeat(5000));
  for (const text of [
    '',
    ' ',
    '\n\n',
    'main;work\nmain;idle\n',
    '<!doctype html>\n<p>5 4\n',
    'no count here',
    'a\tb\n',
    ' 5\n',
    '5',
  ])
    is(undefined, text, text);
});

test('bytes that mean nothing are nothing', () => {
  is(undefined, Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13]));
  is(undefined, Buffer.alloc(4096));
  is(undefined, Buffer.from(number(1, 5)));
  let mistaken = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 256 }), raw => {
      if (formOf(raw) !== undefined) mistaken++;
    }),
    { numRuns: 3000, seed: 1 },
  );
  assert.ok(mistaken <= 3, `${mistaken} of 3000`);
});

test('shared memory makes no difference', () => {
  is('groups', shared(Buffer.from('main;work 3\n')));
  is('speedscope', shared(json({ shared: {}, profiles: [] })));
  for (const [name, raw] of legacyVectors) is('legacy', shared(raw), name);
});
