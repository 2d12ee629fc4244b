// Programs under real profilers. Each is built or installed from its registry, runs until its standard input ends, then uploads the rest.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = import.meta.dirname;
/** What is built or fetched for clients stays here between runs. */
export const cache = resolve(here, '../../node_modules/.cache/flamegate-clients');

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to ours. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Client {
  /** Also the name of its application and of its tag `team`. */
  readonly name: string;
  /** What must be on the machine; flamegate's own Node.js always is. */
  readonly needs?: string;
  prepare(): Promise<Command>;
}

/** Builds the Go program in this folder; versions are pinned in its go.mod. @returns the executable */
export async function builtGo(folder: string): Promise<string> {
  const file = join(cache, `${folder}-app`);
  await mkdir(cache, { recursive: true });
  await run('go', ['build', '-o', file, '.'], { cwd: join(here, folder) });
  return file;
}

/** The SDK for Go, compiled. */
const go: Client = {
  name: 'go',
  needs: 'go',
  prepare: async () => ({ file: await builtGo('go'), args: [] }),
};

/** The SDK for Python, in a venv of its own; the version is pinned in python/requirements.txt. */
const python: Client = {
  name: 'python',
  needs: 'python3',
  async prepare() {
    const venv = join(cache, 'venv');
    const file = join(venv, 'bin/python');
    const requirements = join(here, 'python/requirements.txt');
    // `pip install` of what is there already costs a second and no network, so it also says whether the venv is sound.
    const install = () => run(file, ['-m', 'pip', 'install', '--quiet', '--no-input', '-r', requirements]);
    await install().catch(async () => {
      await run('python3', ['-m', 'venv', '--clear', venv]);
      await install();
    });
    return { file, args: [join(here, 'python/app.py')] };
  },
};

/** The SDK for Node.js, a devDependency. */
const node: Client = {
  name: 'node',
  prepare: async () => ({ file: process.execPath, args: [join(here, 'node/app.ts')] }),
};

export const clients: readonly Client[] = [go, python, node];

/**
 * Why a test that needs this tool cannot run here, or undefined. A tool that FLAMEGATE_REQUIRE names (comma-separated) must
 * be here: its absence throws.
 */
export async function missing(tool: string | undefined): Promise<string | undefined> {
  if (tool === undefined) return undefined;
  const found = await run(tool, [tool === 'go' ? 'version' : '--version']).then(
    () => true,
    () => false,
  );
  if (found) return undefined;
  if ((process.env.FLAMEGATE_REQUIRE ?? '').split(',').includes(tool))
    throw new Error(`${tool} is required by FLAMEGATE_REQUIRE and cannot be run`);
  return `${tool} is not installed on this machine`;
}

export class RunningClient {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #said = '';

  constructor(name: string, { file, args, env }: Command, server: string) {
    this.name = name;
    this.#child = spawn(file, args, {
      env: { ...process.env, CLIENT_APP: `shop.${name}`, CLIENT_SERVER: server, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding('utf8').on('data', text => {
        this.#said += text;
      });
    this.#exited = new Promise((done, failed) => {
      this.#child.on('error', failed);
      this.#child.on('close', done);
    });
    // Neither is waited for yet; `finish` reports how the program ended.
    this.#exited.catch(() => {});
    this.#child.stdin!.on('error', () => {});
  }

  /** Asks it to end, which uploads the rest; rejects unless it exits 0. */
  async finish(): Promise<void> {
    this.#child.stdin!.end();
    const code = await this.#exited;
    if (code !== 0) throw new Error(`client ${this.name} exited ${code}:\n${this.#said}`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
