// Small disks that can be made to fail. Only root may mount.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { TestContext } from 'node:test';
import { folder } from './rig.ts';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });

/** Why nothing can be mounted here; undefined when it can. */
export function whyNoMounts(): string | undefined {
  if (process.platform !== 'linux') return 'mounts are Linux only here';
  if (process.getuid?.() !== 0) return 'only root may mount a disk';
  return undefined;
}

/** A disk in memory of this size; gone when the test ends. */
export function smallDisk(t: TestContext, mib: number): { path: string; resize(mib: number): void } {
  const path = folder(t);
  run('mount', '-t', 'tmpfs', '-o', `size=${mib}m`, 'flamegate-faults', path);
  t.after(() => run('umount', '--lazy', path));
  return { path, resize: size => void run('mount', '-o', `remount,size=${size}m`, path) };
}

/** An ext4 in a file, which turns read-only as a real one does at its first error; undefined where there are no loop devices. */
export function brittleDisk(t: TestContext, mib: number): { path: string; fail(): void; mend(): void } | undefined {
  const [path, image] = [folder(t), `${folder(t)}/image`];
  writeFileSync(image, '');
  run('truncate', `--size=${mib}M`, image);
  const mount = () => spawnSync('mount', ['-o', 'loop,errors=remount-ro', image, path]).status === 0;
  if (spawnSync('mkfs.ext4', ['-q', '-F', image]).status !== 0 || !mount()) return undefined;
  t.after(() => void spawnSync('umount', ['--lazy', path]));
  const fail = () => {
    const device = basename(run('findmnt', '--noheadings', '--output', 'SOURCE', path).trim());
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
  };
  const mend = () => {
    run('umount', path);
    // Exits with 1 when it mended something.
    spawnSync('fsck.ext4', ['-p', image]);
    if (!mount()) throw new Error('the disk cannot be mounted again');
  };
  return { path, fail, mend };
}

/** Every write of this process beyond this many bytes of a file is an I/O error from now on; undefined allows all again. */
export function limitFileSize(pid: number, bytes: number | undefined): void {
  run('prlimit', `--pid=${pid}`, `--fsize=${bytes ?? 'unlimited'}`);
}
