import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { healLog } from '../../../../src/pipeline/outbox/disk/log.ts';

const PAGE_BYTES = 4096;
const FRAME_BYTES = 24 + PAGE_BYTES;
const ROWS = 10;

/** File and log as a kill leaves them after ten commits, of one frame each from some frame on. */
function killed(t: TestContext): { file: Buffer; log: Buffer; rowsWith(log: Buffer): number } {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-log-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'a.db');
  const db = new DatabaseSync(path);
  db.exec('PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; CREATE TABLE t (x)');
  for (let n = 0; n < ROWS; n++) db.exec(`INSERT INTO t VALUES (${n})`);
  const [file, log] = [readFileSync(path), readFileSync(`${path}-wal`)];
  db.close();
  let copies = 0;
  return {
    file,
    log,
    rowsWith: changed => {
      const copy = join(dir, `${copies++}.db`);
      writeFileSync(copy, file);
      writeFileSync(`${copy}-wal`, changed);
      const again = new DatabaseSync(copy);
      const { n } = again.prepare('SELECT count(*) AS n FROM t').get() as { n: number };
      again.close();
      return n;
    },
  };
}

function flipped(log: Buffer, at: number): Buffer {
  const changed = Buffer.from(log);
  changed[at] = changed[at]! ^ 4;
  return changed;
}

test('a sound log, one that ends early and an empty one are left alone', t => {
  const { log } = killed(t);
  assert.equal(healLog(log, PAGE_BYTES), undefined);
  assert.equal(healLog(log.subarray(0, log.length - FRAME_BYTES - 7), PAGE_BYTES), undefined);
  assert.equal(healLog(Buffer.alloc(0), PAGE_BYTES), undefined);
  assert.equal(healLog(Buffer.alloc(100_000), PAGE_BYTES), undefined);
});

test('one flipped bit in an older frame hides no commit behind it, wherever it is', t => {
  const { log, rowsWith } = killed(t);
  const frame = (log.length - 32) / FRAME_BYTES - 4;
  const start = 32 + frame * FRAME_BYTES;
  // Salt, checksum, and a place of the page that holds nothing.
  for (const at of [start + 9, start + 17, start + 24 + 2000]) {
    const broken = flipped(log, at);
    assert.ok(rowsWith(broken) < ROWS, 'SQLite alone forgets what follows');
    const healed = healLog(broken, PAGE_BYTES)!;
    assert.match(healed.said, /damaged in [12] of \d+ places/);
    assert.equal(rowsWith(healed.bytes!), ROWS);
  }
});

test('a damaged header costs nothing', t => {
  const { log, rowsWith } = killed(t);
  for (const at of [2, 6, 10, 18, 26]) {
    const broken = flipped(log, at);
    assert.equal(rowsWith(healLog(broken, PAGE_BYTES)!.bytes!), ROWS);
  }
});

test('a last transaction that is not whole stays out, and is said', t => {
  const { log } = killed(t);
  const healed = healLog(flipped(log, log.length - 1000), PAGE_BYTES)!;
  assert.equal(healed.bytes, undefined);
  assert.match(healed.said, /after a kill or a power failure that is normal/);
});
