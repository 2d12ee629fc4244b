// A gateway's start on a queue file that kills itself, as `kill -9` does: `killed-recovery.ts FILE STEP` just before the step with
// this number, counted over every commit and every change of a name. Prints how many steps there were when none of them was it.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync } from 'node:sqlite';

const [file, last] = process.argv.slice(2) as [string, string];
let steps = 0;
function step(): void {
  if (++steps === Number(last)) process.kill(process.pid, 'SIGKILL');
}

const { exec, close } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  if (/COMMIT|wal_checkpoint/.test(sql)) step();
  exec.call(this, sql);
};
DatabaseSync.prototype.close = function () {
  step();
  close.call(this);
};
const { renameSync, rmSync, copyFileSync } = fs;
fs.renameSync = (from, to) => {
  step();
  renameSync(from, to);
};
fs.rmSync = (path, options) => {
  step();
  rmSync(path, options);
};
fs.copyFileSync = (from, to) => {
  step();
  copyFileSync(from, to);
};
syncBuiltinESMExports();

const { openQueueFile } = await import('../../src/pipeline/outbox/disk/recover.ts');
const { database } = openQueueFile(file, 'normal', Date.now());
// As a gateway's thread does once its owner knows.
database.told();
database.close();
process.stdout.write(String(steps));
