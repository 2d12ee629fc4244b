// What we write, google/pprof reads as it reads the original: totals, stacks, labels, mappings.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { decodePprof } from '../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../src/wire/pprof/encode.ts';
import { soundProfiles } from '../kit/profiles.ts';
import { missing } from './programs.ts';

test('go tool pprof -raw says the same of our encoding as of the original', async (t: TestContext) => {
  const why = await missing('go');
  if (why) return t.skip(why);
  // The first call builds it where Go comes without; then it is run itself, which saves a second per file.
  execFileSync('go', ['tool', 'pprof', '-h'], { stdio: 'ignore' });
  const pprof = execFileSync('go', ['tool', '-n', 'pprof'], { encoding: 'utf8' }).trim();
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-pprof-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const raw = (bytes: Uint8Array) => {
    const file = join(dir, 'profile.pb');
    writeFileSync(file, bytes);
    return execFileSync(pprof, ['-raw', '-symbolize=none', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 2 ** 28,
    });
  };
  let compared = 0;
  for (const { file, raw: original } of soundProfiles()) {
    let due: string;
    try {
      due = raw(original);
    } catch {
      // pprof wants samples, or other things that a profile need not have.
      continue;
    }
    assert.equal(raw(encodePprof(decodePprof(original))), due, file);
    compared++;
  }
  assert.ok(compared > 10, `${compared} compared`);
});
