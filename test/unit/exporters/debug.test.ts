import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DebugExporter } from '../../../src/exporters/debug/exporter.ts';
import type { ProfileBatch, TraceBatch } from '../../../src/model/batch.ts';
import { numbered } from '../../kit/pprof.ts';
import { batchOf, listeningHost, profileOf, summaryAt } from './fixtures.ts';

async function printed(verbosity: 'basic' | 'detailed', batch: ProfileBatch | TraceBatch, summary = summaryAt(0n)) {
  const { host, said } = listeningHost(summary);
  let text = '';
  const exporter = new DebugExporter({ verbosity }, host, line => {
    text += line;
  });
  assert.deepEqual(await exporter.send(batch), { kind: 'accepted' });
  return { text, said };
}

test('basic prints one line per profile and asks for no summary', async () => {
  const { text, said } = await printed(
    'basic',
    batchOf(
      [
        profileOf({ service_name: 'checkout', __name__: 'process_cpu', env: 'a b' }, { origin: { door: 'push' } }),
        profileOf({ 'service.name': 'cart' }, { form: 'jfr', encoding: 'gzip', bytes: Buffer.alloc(20) }),
        profileOf({}),
      ],
      { tenant: 'team a' },
    ),
  );
  assert.equal(
    text,
    [
      '2026-01-02T03:04:05.006Z checkout pprof 7 bytes identity by push tenant="team a" __name__=process_cpu env="a b"',
      '2026-01-02T03:04:05.006Z cart jfr 20 bytes gzip by - tenant="team a"',
      '2026-01-02T03:04:05.006Z - pprof 7 bytes identity by - tenant="team a"',
      '',
    ].join('\n'),
  );
  assert.equal(said.summaries, 0);
});

test('a request of traces is one line, under any verbosity', async () => {
  const { profiles: _, ...head } = batchOf([], { tenant: 'team a' });
  const payload = { form: 'otlp', encoding: 'identity', bytes: Buffer.alloc(12) } as const;
  for (const verbosity of ['basic', 'detailed'] as const) {
    const { text, said } = await printed(verbosity, { ...head, signal: 'traces', payload });
    assert.equal(text, '2026-01-02T03:04:05.006Z traces otlp 12 bytes identity tenant="team a"\n');
    assert.equal(said.summaries, 0);
  }
});

test('detailed adds types with totals, counts, start, duration and period', async () => {
  const summary = {
    ...summaryAt(1_700_000_000_000_000_000n),
    types: [
      { type: 'samples', unit: 'count', total: 12n },
      { type: 'cpu', unit: 'nanoseconds', total: 2n ** 64n },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 10_000_000n,
  };
  const { text } = await printed('detailed', batchOf([profileOf({ service_name: 's' })]), summary);
  assert.equal(
    text.split('\n')[1],
    '    samples=12 count, cpu=18446744073709551616 nanoseconds; 1 samples, 1 locations, 1 functions; from 2023-11-14T22:13:20.000Z for 10000 ms, one sample per 10000000 nanoseconds',
  );
});

test('detailed of a form that nobody can read yet is the line alone', async () => {
  const { host } = listeningHost();
  let text = '';
  const exporter = new DebugExporter({ verbosity: 'detailed' }, host, line => {
    text += line;
  });
  await exporter.send(batchOf([profileOf({}, { form: 'jfr' }), profileOf({}, { bytes: numbered(3) })]));
  assert.equal(text.trimEnd().split('\n').length, 3, 'one line for jfr, two for pprof');
});

test('whatever names and values hold, one profile is one line of printable text', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.dictionary(text, text), text, async (attributes, tenant) => {
      const { text: line } = await printed('basic', batchOf([profileOf(attributes)], { tenant }));
      assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u);
    }),
  );
});
