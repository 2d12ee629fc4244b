// The real process, with a configuration of the test's own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { launcher } from './cli.ts';

/** A port that was free a moment ago, outside the range from which clients' ports are taken. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>(done => {
      const probe = createServer();
      probe.once('error', () => done(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** How the process is started, where a test asks for something else than usual. */
export interface Command {
  /** The Node.js that runs the launcher. */
  readonly node?: string;
  /** The launcher, when it is another than this checkout's. */
  readonly launcher?: string;
  /** Arguments of `run`. */
  readonly args?: readonly string[];
  /** More of them. */
  readonly flags?: readonly string[];
}

export class Gateway {
  readonly dir: string;
  readonly file: string;
  readonly admin: string;
  readonly logs: LogLine[] = [];
  stdout = '';
  stderr = '';
  readonly exited: Promise<number | null>;
  readonly child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  private constructor(dir: string, file: string, adminPort: number, command: Command) {
    this.dir = dir;
    this.file = file;
    this.admin = `http://127.0.0.1:${adminPort}`;
    const args = [...(command.args ?? ['--config', file]), ...(command.flags ?? [])];
    this.child = spawn(command.node ?? process.execPath, [command.launcher ?? launcher, 'run', ...args], {
      cwd: dir,
      env: { ...process.env, FLAMEGATE_POISON_SLABS: '1' },
      // With a channel, as under the launcher: should the test die, the gateway notices and ends too.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child.channel?.unref();
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise(done =>
      this.child.on('exit', code => {
        done(code);
        for (const check of this.#waiting) check();
      }),
    );
  }

  /** A test that failed before its clean-up must end, not hang: the gateway goes with the channel. */
  #detach(): this {
    this.child.unref();
    this.child.channel?.unref();
    for (const stream of [this.child.stdout, this.child.stderr]) (stream as Socket).unref();
    return this;
  }

  /** Starts with this configuration; `service.telemetry.admin` is filled in. Resolves once it is running. */
  static async start(config: Record<string, unknown>, command: Command = {}): Promise<Gateway> {
    return Gateway.#running(await Gateway.begin(config, command));
  }

  /** The same, but it may not run yet. */
  static async begin(config: Record<string, unknown>, command: Command = {}): Promise<Gateway> {
    const dir = await mkdtemp(join(tmpdir(), 'flamegate-'));
    const file = join(dir, 'gateway.yaml');
    const adminPort = await freePort();
    await writeFile(file, yamlOf(config, adminPort));
    return new Gateway(dir, file, adminPort, command).#detach();
  }

  /** Starts with this command line in an empty folder; the admin port is set after it. */
  static async startWith(args: readonly string[], command: Command = {}): Promise<Gateway> {
    const dir = await mkdtemp(join(tmpdir(), 'flamegate-'));
    const adminPort = await freePort();
    const admin = ['--set', `service.telemetry.admin.endpoint=127.0.0.1:${adminPort}`];
    return Gateway.#running(new Gateway(dir, '', adminPort, { ...command, args: [...args, ...admin] }).#detach());
  }

  static async #running(gateway: Gateway): Promise<Gateway> {
    await gateway.logged('gateway running').catch(async error => {
      await gateway.kill();
      throw new Error(`${error.message}\n${gateway.stdout}\n${gateway.stderr}`);
    });
    return gateway;
  }

  /** A configuration as it stands in the file. */
  yaml(config: Record<string, unknown>): string {
    return yamlOf(config, Number(new URL(this.admin).port));
  }

  /** Writes another configuration and asks for a reload; resolves with the status of that reload. */
  async reload(config: Record<string, unknown> | string): Promise<LogLine> {
    return this.reloaded(async () => {
      await writeFile(this.file, typeof config === 'string' ? config : this.yaml(config));
      this.child.kill('SIGHUP');
    });
  }

  /** The status of the first reload after this was done. */
  async reloaded(act: () => Promise<unknown>): Promise<LogLine> {
    const before = this.logs.length;
    await act();
    const done = ['configuration reloaded', 'reload failed, the running configuration stays'];
    return this.until(() => this.logs.slice(before).find(({ msg }) => done.includes(msg)), 'reload');
  }

  logged(msg: string): Promise<LogLine> {
    return this.until(() => this.logs.find(line => line.msg === msg), `log line "${msg}"`);
  }

  /** The first truthy answer of `find`, asked after each log line. */
  until<T>(find: () => T | undefined, what: string, ms = 20_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new Error(`gateway: no ${what} within ${ms} ms`))), ms);
      const finish = (end: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        end();
      };
      const check = () => {
        const found = find();
        if (found) finish(() => resolve(found));
        else if (this.child.exitCode !== null) finish(() => reject(new Error(`gateway ended: no ${what}`)));
      };
      this.#waiting.add(check);
      check();
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the shape is the status API's, tests look at single fields
  async status(): Promise<any> {
    return (await fetch(`${this.admin}/api/v1/status`)).json();
  }

  /** The value of a metric line that starts with this text; 0 when there is none. */
  async metric(start: string): Promise<number> {
    const text = await (await fetch(`${this.admin}/metrics`)).text();
    const line = text.split('\n').find(one => one.startsWith(start));
    return line ? Number(line.slice(line.lastIndexOf(' '))) : 0;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.ref();
    this.child.kill(signal);
    const code = await this.exited;
    await rm(this.dir, { recursive: true, force: true });
    return code;
  }

  async kill(): Promise<void> {
    await this.stop('SIGKILL');
  }

  #read(text: string): void {
    this.stdout += text;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) if (line.startsWith('{')) this.logs.push(JSON.parse(line));
    for (const check of this.#waiting) check();
  }
  #rest = '';
}

function yamlOf(config: Record<string, unknown>, adminPort: number): string {
  const service = config.service as { telemetry?: { admin?: object } };
  const admin = { ...service.telemetry?.admin, endpoint: `127.0.0.1:${adminPort}` };
  const telemetry = { ...service.telemetry, admin };
  return stringify({ ...config, service: { ...service, telemetry } });
}
