// The file goes bad under a running store: it is set aside, another one takes its place, what can be read or is in memory goes on.
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, statSync, truncateSync, writeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { DiskStore } from '../../../../src/pipeline/outbox/disk/disk-store.ts';
import { settled } from '../fixtures.ts';
import { disk, textOf } from './rig.ts';

const MIB = 1 << 20;
const PAGE = 16 * 1024;
const names = (count: number, from = 1) => Array.from({ length: count }, (_, n) => `profile-${n + from}`);

/** More than fits into memory, most of it moved from the log into the file. */
async function filled(t: TestContext, budget?: number) {
  const rig = disk(t, budget);
  const store = await rig.start();
  for (const name of names(60)) await rig.put(store, name, ['a'], MIB);
  return { ...rig, store };
}

/** Changes eight bytes of each page from `first` on that `which` says. */
function damage(file: string, first: number, which: (page: number) => boolean): void {
  const pages = Math.floor(statSync(file).size / PAGE);
  const fd = openSync(file, 'r+');
  for (let page = first; page < pages; page++)
    if (which(page)) for (const at of [0, 5000]) writeSync(fd, Buffer.alloc(8, 0xa5), 0, 8, page * PAGE + at);
  closeSync(fd);
}

/** Delivers all; the profiles that came. Their bytes are compared. */
async function deliver(store: DiskStore): Promise<string[]> {
  const texts: string[] = [];
  while (store.depth('a').batches > 0) {
    const end = new AbortController();
    let done = false;
    const gone = (async () => {
      // What is left may turn out to be lost: then nothing comes any more.
      while (!done && store.depth('a').batches > 0) await settled();
      end.abort();
    })();
    const entry = await store.take('a', end.signal);
    done = true;
    await gone;
    if (entry) {
      texts.push(textOf(entry));
      store.settle('a', entry, { kind: 'done' });
    }
  }
  return texts;
}

for (const [what, hurt] of [
  ['a third of its pages flip', (file: string) => damage(file, 1, page => page % 3 === 0)],
  ['every page but the first flips', (file: string) => damage(file, 1, () => true)],
  ['it is cut to half', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2 / PAGE) * PAGE)],
] as const)
  test(`${what}: deliveries and puts go on, nothing is altered, losses are counted`, async t => {
    const rig = await filled(t);
    const { store, file, dir, lost, said, put, start, stop, health, memory } = rig;
    hurt(file);
    const first = await deliver(store);
    t.diagnostic(`${first.length} of 60 delivered, ${lost.length} lost`);
    assert.equal(first.length + lost.length, 60);
    assert.equal(new Set(first).size, first.length, 'none twice');
    assert.ok(first.length >= 25, 'what was in memory was not lost');
    assert.ok(lost.every(one => one === 'a:1'));
    assert.match(said.find(detail => detail.includes('set aside')) ?? '', /set aside as .*queue\.db\.damaged-.* saved/);
    assert.ok(readdirSync(dir).some(name => name.includes('.damaged-')));
    for (const name of names(5, 61)) assert.deepEqual(await put(store, name), { evicted: [] });
    await stop(store);
    assert.equal(memory.usage.heldBytes, 0);
    assert.deepEqual(health, []);
    // The new file is sound and holds what was acknowledged since.
    const before = said.length;
    assert.deepEqual((await deliver(await start())).toSorted(), names(5, 61).toSorted());
    assert.equal(said.length, before);
  });

test('what is in memory is written into the new file, with its attempts', async t => {
  const rig = disk(t);
  const { start, stop, put, take, file, said, lost } = rig;
  const store = await start();
  // Enough to be moved from the log into the file, all of it in memory.
  for (const name of names(25)) await put(store, name, ['a'], MIB);
  store.settle('a', (await take(store))!, { kind: 'later', dueMs: 1, firstTryMs: 42 });
  damage(file, 1, () => true);
  const { damaged } = await store.operations.verify(0);
  assert.ok(damaged.length > 0, 'verify names it');
  assert.deepEqual(said, []);
  const payload = await store.operations.payload(damaged[0]!.id);
  assert.deepEqual([said.length, payload], [1, undefined], 'reading replaces the file');
  assert.deepEqual(await put(store, 'profile-26'), { evicted: [] });
  await stop(store);
  assert.deepEqual(lost, []);
  const again = await start();
  assert.equal(again.depth('a').batches, 26);
  const attempts = new Map<string, number>();
  for (let n = 0; n < 26; n++) {
    const entry = (await take(again))!;
    attempts.set(textOf(entry), entry.attempts);
    again.settle('a', entry, { kind: 'done' });
  }
  assert.deepEqual([attempts.size, attempts.get('profile-1'), attempts.get('profile-2')], [26, 1, 0]);
});
