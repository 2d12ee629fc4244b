// Real SDKs, installed from their registries into a cache beside node_modules. What a machine lacks is skipped with a reason, or
// fails where FLAMEGATE_REQUIRE names it.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const programs = join(root, 'test/clients');
const cache = join(root, 'node_modules/.cache/flamegate-clients');
const PYTHON_SDK = 'pyroscope-io==1.4.0';
/** Longest time for an installation from a registry, ms. */
const INSTALL_MS = 180_000;
const required = (process.env.FLAMEGATE_REQUIRE ?? '').split(',');

/** Why tests with this program cannot run here; undefined when they can. @throws when the machine promised it */
export function missing(program: 'go' | 'python3'): string | undefined {
  if (!spawnSync(program, [program === 'go' ? 'version' : '--version']).error) return undefined;
  if (required.includes(program)) throw new Error(`${program} is required here and missing`);
  return `${program} is not installed`;
}

export class Client {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = '';

  constructor(command: string, args: string[]) {
    this.#child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.ended = new Promise(done => this.#child.on('exit', done));
  }

  /** Tells the program to upload what it has and end. */
  async stop(): Promise<void> {
    this.#child.stdin!.end('\n');
    const code = await this.ended;
    if (code !== 0) throw new Error(`client ended with ${code}: ${this.output}`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

export function goClient(url: string): Client {
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, 'go-client');
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: join(programs, 'go'), timeout: INSTALL_MS });
  return new Client(binary, [url]);
}

export function pythonClient(url: string): Client {
  mkdirSync(cache, { recursive: true });
  const venv = join(cache, 'python');
  const python = join(venv, 'bin/python');
  if (!existsSync(join(venv, 'installed'))) {
    execFileSync('python3', ['-m', 'venv', venv], { timeout: INSTALL_MS });
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PYTHON_SDK], {
      timeout: INSTALL_MS,
    });
    mkdirSync(join(venv, 'installed'));
  }
  return new Client(python, [join(programs, 'python.py'), url]);
}

export function nodeClient(url: string): Client {
  return new Client(process.execPath, [join(programs, 'node.mjs'), url]);
}

/** `go tool pprof -top` of a file. */
export function goTop(file: string): string {
  return execFileSync('go', ['tool', 'pprof', '-top', file], { encoding: 'utf8', timeout: INSTALL_MS });
}
