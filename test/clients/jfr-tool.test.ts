// The JDK's own `jfr` counts the events that we count, in recordings of the JVM and of async-profiler.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJfr } from '../../src/wire/jfr/decode.ts';
import { corpusJfr, sentJfr } from '../kit/jfr.ts';
import { missing } from './programs.ts';

test('jfr summary counts the events that we count', async t => {
  const why = await missing('java');
  if (why) return t.skip(why);
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-jfr-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'recording.jfr');
  const all = [...sentJfr(), ...corpusJfr()];
  assert.ok(all.length >= 3);
  for (const { file: name, raw } of all) {
    writeFileSync(file, raw);
    const summary = execFileSync('jfr', ['summary', file], { encoding: 'utf8' });
    const due = new Map<string, number>();
    // A line is name, count and size; those of types that describe types are not events to us.
    for (const [, type, count] of summary.matchAll(/^ ([\w.$]+) +(\d+) +\d+$/gm))
      if (Number(count) > 0 && type !== 'jdk.Metadata' && type !== 'jdk.CheckPoint') due.set(type!, Number(count));
    const { eventCounts } = decodeJfr(raw);
    const [ours, theirs] = [eventCounts, due].map(counts => [...counts].sort());
    // Where chunks describe types differently, jfr counts only those of the last one's description.
    if (name.includes('FastSlow'))
      assert.deepEqual(
        ours!.filter(([type]) => due.has(type as string)),
        theirs,
        name,
      );
    else assert.deepEqual(ours, theirs, name);
  }
});
