// Small disks that can be made to fail. Only root may mount.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });

/** Why nothing can be mounted here; undefined when it can. */
export function whyNoMounts(): string | undefined {
  if (process.platform !== 'linux') return 'mounts are Linux only here';
  if (process.getuid?.() !== 0) return 'only root may mount a disk';
  return undefined;
}

/** A folder to mount on; both go when the test ends. */
function mountPoint(t: TestContext): { path: string; image: string } {
  const parent = mkdtempSync(join(tmpdir(), 'flamegate-disk-'));
  const path = join(parent, 'disk');
  mkdirSync(path);
  t.after(() => {
    spawnSync('umount', ['--lazy', path]);
    rmSync(parent, { recursive: true, force: true });
  });
  return { path, image: join(parent, 'image') };
}

/** A disk in memory of this size; gone when the test ends. */
export function smallDisk(t: TestContext, mib: number): { path: string; resize(mib: number): void } {
  const { path } = mountPoint(t);
  run('mount', '-t', 'tmpfs', '-o', `size=${mib}m`, 'flamegate-faults', path);
  return { path, resize: size => void run('mount', '-o', `remount,size=${size}m`, path) };
}

/** An ext4 in a file, which turns read-only as a real one does at its first error; undefined where there are no loop devices. */
export function brittleDisk(t: TestContext, mib: number): { path: string; fail(): void; mend(): void } | undefined {
  const { path, image } = mountPoint(t);
  writeFileSync(image, '');
  run('truncate', `--size=${mib}M`, image);
  const mount = () => spawnSync('mount', ['-o', 'loop,errors=remount-ro', image, path]).status === 0;
  if (spawnSync('mkfs.ext4', ['-q', '-F', image]).status !== 0 || !mount()) return undefined;
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
  run('prlimit', `--pid=${pid}`, `--fsize=${bytes ?? 'unlimited'}:`);
}
