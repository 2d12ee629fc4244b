// `npm run faults`: all scenarios in their long form, one after the other; writes docs/RELIABILITY.md. Variables that are set keep
// their values; arguments are names of files, for a part of it, which writes nothing.
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { page } from './report.ts';
import type { Row } from './rows.ts';
import { LONG, SEED } from './settings.ts';

const root = resolve(import.meta.dirname, '../..');
const parts = process.argv.slice(2);
const files = parts.length > 0 ? parts : globSync('test/faults/*.test.ts', { cwd: root }).toSorted();
const folder = mkdtempSync(join(tmpdir(), 'flamegate-rows-'));

const code = await new Promise<number>(done => {
  const child = spawn(
    process.execPath,
    ['--import', './src/self.ts', '--test', '--test-concurrency=1', '--test-reporter=spec', ...files],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...LONG, ...process.env, FAULTS_SEED: String(SEED), FAULTS_ROWS: folder },
    },
  );
  child.on('exit', ended => done(ended ?? 1));
});

const rows = readdirSync(folder).map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Row);
rmSync(folder, { recursive: true });
if (parts.length === 0) {
  const set = Object.entries(process.env).filter(([name]) => name in LONG);
  const text = page(new Map(rows.map(row => [row.id, row])), {
    date: new Date().toISOString().slice(0, 10),
    seed: SEED,
    node: process.version,
    machine: `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    command: [...set.map(([name, value]) => `${name}=${value}`), `FAULTS_SEED=${SEED}`, 'npm run faults'].join(' '),
  });
  writeFileSync(join(root, 'docs/RELIABILITY.md'), text);
}
process.exitCode = code;
