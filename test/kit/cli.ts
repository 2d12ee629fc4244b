// The command line as a user types it: a process that ends by itself, or one under the launcher.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const launcher = join(root, 'bin/flamegate.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one verb to its end. */
export function flamegate(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [launcher, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', code => done({ code, stdout, stderr }));
  });
}

/** A Node.js on PATH that is older than flamegate needs, so that its launcher has to start the private one; undefined when there is none. */
export function olderNode(): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, 'node'))
    .filter(file => existsSync(file))
    .find(file => {
      const [major = 0, minor = 0] = spawnSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' })
        .stdout.split('.')
        .map(Number);
      return major >= 18 && (major < 24 || (major === 24 && minor < 11));
    });
}
