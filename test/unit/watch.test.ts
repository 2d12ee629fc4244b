import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WatchedFiles } from '../../src/watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'flamegate-watch-'));
after(() => rmSync(folder, { recursive: true }));

/** A watch that looks when it is told to. */
async function rig(name: string) {
  const path = join(folder, name);
  writeFileSync(path, 'one');
  const during: (() => void)[] = [];
  const files = new WatchedFiles(async file => {
    const text = readFileSync(file, 'utf8');
    for (const act of during.splice(0)) act();
    return text;
  });
  const load = async () => {
    files.begin();
    await files.read(path, 100).catch(() => {});
  };
  await load();
  const told: (readonly string[])[] = [];
  const stop = new AbortController();
  let wake = () => {};
  let asleep = Promise.withResolvers<void>();
  const clock = {
    now: () => 0,
    sleep: () => {
      asleep.resolve();
      return new Promise<void>(resolve => {
        wake = resolve;
      });
    },
  };
  const ended = files.watch(clock, changed => told.push(changed), stop.signal);
  /** Resolves when it has looked. */
  const look = async () => {
    await asleep.promise;
    asleep = Promise.withResolvers();
    wake();
    await asleep.promise;
  };
  const end = async () => {
    stop.abort();
    wake();
    await ended;
  };
  return { path, told, look, load, during, end };
}

test('a change is told once, and only when the file has been quiet for a look', async () => {
  const { path, told, look, load, end } = await rig('quiet');
  await look();
  await look();
  assert.deepEqual(told, []);
  writeFileSync(path, 'half of');
  await look();
  writeFileSync(path, 'half of it');
  await look();
  assert.deepEqual(told, [], 'it is still written to');
  await look();
  assert.deepEqual(told, [[path]]);
  await look();
  assert.equal(told.length, 1);
  await load();
  await look();
  await look();
  assert.equal(told.length, 1, 'loaded as it is');
  await end();
});

test('what changed while it was loaded is told, and so is a file that goes or comes', async () => {
  const { path, told, look, load, during, end } = await rig('late');
  during.push(() => writeFileSync(path, 'written while it was read'));
  await load();
  await look();
  await look();
  assert.equal(told.length, 1);
  rmSync(path);
  await look();
  await look();
  assert.equal(told.length, 2);
  await load();
  writeFileSync(path, 'back');
  await look();
  await look();
  assert.equal(told.length, 3);
  await end();
});
