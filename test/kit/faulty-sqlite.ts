// Loaded before the thread of a queue file (`--import`): puts the faults of a disk under SQLite. What goes wrong stands in the file
// that FLAMEGATE_FAULTS names, and may change at any time: `EIO` or `ENOSPC` fails every commit, `EIO 3` the third from now on and
// those after it; `END` ends the thread before a commit, `ENDED` behind it; nothing, or no file, fails none. Unit tests hand this module to DiskStore as `preload`; a real process gets it by
// NODE_OPTIONS="--import file:///…/test/kit/faulty-sqlite.ts".
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const FAULTS = {
  END: { errcode: 0, message: '' },
  ENDED: { errcode: 0, message: '' },
  EIO: { errcode: 10, message: 'disk I/O error' },
  ENOSPC: { errcode: 13, message: 'database or disk is full' },
} as const;

const { exec } = DatabaseSync.prototype;
let told = '';
let commits = 0;

/** The fault of this commit, if it has one. */
function fault(): (typeof FAULTS)[keyof typeof FAULTS] | undefined {
  let now = '';
  try {
    now = readFileSync(process.env.FLAMEGATE_FAULTS ?? '', 'utf8').trim();
  } catch {
    // None is asked for.
  }
  if (now !== told) commits = 0;
  told = now;
  const [, kind, from = '1'] = /^(EIO|ENOSPC|END|ENDED)(?: (\d+))?$/.exec(now) ?? [];
  return kind !== undefined && ++commits >= Number(from) ? FAULTS[kind as keyof typeof FAULTS] : undefined;
}

DatabaseSync.prototype.exec = function (sql) {
  if (/\bCOMMIT;?$|wal_checkpoint/.test(sql)) {
    const found = fault();
    // In a thread it ends the thread.
    if (found === FAULTS.ENDED) exec.call(this, sql);
    if (found?.message === '') process.exit();
    if (found) {
      // What a disk that fails under a commit leaves: nothing of the transaction.
      if (this.isTransaction) exec.call(this, 'ROLLBACK');
      throw Object.assign(new Error(found.message), { code: 'ERR_SQLITE_ERROR', errcode: found.errcode });
    }
  }
  exec.call(this, sql);
};
