// What the disk itself takes: records appended to a file, each or 64 of them made durable by one fdatasync.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync, writevSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { profileOfSize } from './body.ts';

const MS = 1000;

export function rawAppend(size: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'flamegate-append-'));
  const body = profileOfSize(size);
  const perSecond = (step: (file: number) => number): string => {
    const file = openSync(join(dir, 'log'), 'w');
    const startMs = performance.now();
    let records = 0;
    while (performance.now() - startMs < MS) records += step(file);
    closeSync(file);
    return ((records * 1000) / (performance.now() - startMs)).toFixed(0);
  };
  const each = perSecond(file => {
    writeSync(file, body);
    fdatasyncSync(file);
    return 1;
  });
  const group = Array.from({ length: 64 }, () => body);
  const grouped = perSecond(file => {
    writevSync(file, group);
    fdatasyncSync(file);
    return group.length;
  });
  rmSync(dir, { recursive: true });
  return `\n${size / 1000} KB, raw append + fdatasync: ${each}/s each, ${grouped}/s in groups of 64`;
}
