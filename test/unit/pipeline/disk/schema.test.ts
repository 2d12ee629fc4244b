// Files of older versions are brought to this one; what they hold stays.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { checksum, QueueDatabase } from '../../../../src/pipeline/outbox/disk/database.ts';
import { SCHEMA_VERSION } from '../../../../src/pipeline/outbox/disk/schema.ts';
import { disk } from './rig.ts';

/** As the first version made it. */
const VERSION_1 = `PRAGMA page_size = 16384; PRAGMA journal_mode = WAL;
  CREATE TABLE info (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE payload (
    id INTEGER PRIMARY KEY, batch TEXT NOT NULL, crc INTEGER NOT NULL, meta TEXT NOT NULL, body BLOB NOT NULL);
  CREATE TABLE entry (
    id INTEGER PRIMARY KEY, payload INTEGER NOT NULL, queue TEXT NOT NULL, bytes INTEGER NOT NULL, items INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, first_try_ms INTEGER, due_ms INTEGER NOT NULL,
    dead_ms INTEGER, reason TEXT, message TEXT);
  CREATE INDEX entry_payload ON entry (payload);
  CREATE INDEX entry_dead ON entry (dead_ms) WHERE dead_ms IS NOT NULL;
  PRAGMA application_id = 1718381927; PRAGMA user_version = 1; INSERT INTO info VALUES ('schema', 1);`;

function writeVersion1(file: string, nowMs: number): void {
  const db = new DatabaseSync(file);
  db.exec(VERSION_1);
  const payload = db.prepare('INSERT INTO payload VALUES (?, ?, ?, ?, ?)');
  const entry = db.prepare('INSERT INTO entry VALUES (?, ?, ?, ?, 1, ?, ?, ?, 0, ?, ?, ?)');
  for (const [id, text] of [
    [1, 'x'],
    [2, 'y'],
  ] as const) {
    const body = Buffer.alloc(1000, text);
    const meta = JSON.stringify({
      ...{ tenant: 'team', dialect: 'pyroscope', receivedMs: 17, lengths: [1000] },
      profiles: [{ attributes: [['service_name', text]], payload: 0, part: 0 }],
      payloads: [{ form: 'pprof', encoding: 'gzip', body: 0 }],
    });
    payload.run(id, `hash-${text}`, checksum(meta, body), meta, body);
  }
  entry.run(3, 1, 'a', 1000, nowMs, 2, nowMs - 5, null, null, null);
  entry.run(4, 2, 'a', 1000, nowMs, 1, null, nowMs, 'rejected', 'store answered 422');
  db.close();
}

test('a file of version 1 is migrated: entries, attempts and dead letters stay, and recent ids have a place', async t => {
  const { start, stop, put, take, file, clock } = disk(t);
  writeVersion1(file, clock.now());
  const store = await start();
  const { attempts, firstTryMs, batch } = (await take(store))!;
  assert.deepEqual([attempts, firstTryMs, batch.id.hex, batch.sizeBytes], [2, clock.now() - 5, 'hash-x', 1000]);
  await put(store, 'z');
  await stop(store);
  const look = QueueDatabase.open(file, 'normal');
  assert.deepEqual(
    look.deadLetters().map(({ id, reason, message }) => [id, reason, message]),
    [[4, 'rejected', 'store answered 422']],
  );
  assert.deepEqual([...look.recent()].length, 1);
  look.close();
  const db = new DatabaseSync(file);
  assert.deepEqual({ ...db.prepare('PRAGMA user_version').get() }, { user_version: SCHEMA_VERSION });
  assert.deepEqual({ ...db.prepare('SELECT value FROM info').get() }, { value: SCHEMA_VERSION });
  db.close();
});

test('a damaged file of version 1 is set aside, and what it held is taken over into a new one', async t => {
  const { start, file, clock, drain, said } = disk(t);
  writeVersion1(file, clock.now());
  const db = new DatabaseSync(file);
  // What a header says that the table does not.
  db.exec('PRAGMA user_version = 7');
  db.close();
  assert.deepEqual(await drain(await start()), ['x']);
  assert.match(said[0]!, /header is damaged.* 2 batches for 2 deliveries were saved/);
});
