// The program under the Pyroscope agent for Java, and what the JDK's own tool reads in the recordings that it sent.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Command, cache } from './programs.ts';

const run = promisify(execFile);

export const AGENT = '2.9.2';
/** What must be on the machine: the JDK, of which `jfr` is, and Maven. */
export const JAVA_NEEDS = ['java', 'jfr', 'mvn'] as const;

/** The agent's archive, fetched once. Renamed into place, so that a fetch that was cut short leaves nothing that looks whole. */
async function agent(): Promise<string> {
  const name = `agent-${AGENT}.jar`;
  const file = join(cache, name);
  if (existsSync(file)) return file;
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(join(cache, 'java-'));
  try {
    const artifact = `-Dartifact=io.pyroscope:agent:${AGENT}`;
    // Away from any pom.xml.
    await run('mvn', ['-q', '-B', 'dependency:copy', artifact, `-DoutputDirectory=${aside}`], { cwd: aside });
    await rename(join(aside, name), file);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  return file;
}

/** Shop.java as it stands: `java` compiles one source file itself. */
export async function javaProgram(env: Readonly<Record<string, string>>): Promise<Command> {
  const jar = await agent();
  const source = join(import.meta.dirname, 'java/Shop.java');
  return { file: 'java', args: ['-Xmx256m', `-javaagent:${jar}`, '-cp', jar, source], env };
}

/** How often each type of event stands in a recording, as `jfr summary` counts them. */
export async function summaryOf(file: string): Promise<Map<string, bigint>> {
  const { stdout } = await run('jfr', ['summary', file]);
  const rows = stdout.matchAll(/^ *([\w$]+(?:\.[\w$]+)+) +(\d+) +\d+ *$/gm);
  return new Map([...rows].map(([, type, count]) => [type!, BigInt(count!)]));
}

export interface JdkEvent {
  readonly type: string;
  readonly thread: string;
  /** `Class.method`, the innermost first. */
  readonly stack: readonly string[];
  readonly state: string | undefined;
  /** Integers, and durations in nanoseconds. */
  readonly numbers: ReadonlyMap<string, bigint>;
}

interface Printed {
  readonly type: string;
  readonly values: Readonly<Record<string, unknown>> & {
    readonly stackTrace: { readonly frames: readonly { readonly method: Method }[] } | null;
  };
}
interface Method {
  readonly type: { readonly name: string };
  readonly name: string;
}

/** Events of these types, as `jfr print` decodes them. */
export async function eventsIn(file: string, types: readonly string[]): Promise<JdkEvent[]> {
  const args = ['print', '--json', '--stack-depth', '64', '--events', types.join(','), file];
  const { stdout } = await run('jfr', args, { maxBuffer: 2 ** 29 });
  // 64 bits do not fit a number of JSON: as texts they stay exact. A quote within a text is escaped, so that none is mistaken for a key.
  const exact = stdout.replace(/("\w+": )(-?\d+)(?=[,\s}])/g, '$1"$2"');
  const { recording } = JSON.parse(exact) as { recording: { events: Printed[] } };
  return recording.events.map(({ type, values }) => {
    const thread = (values.sampledThread ?? values.eventThread) as { javaName: string | null } | null;
    return {
      type,
      thread: thread?.javaName ?? '',
      stack: (values.stackTrace?.frames ?? []).map(({ method }) => `${method.type.name}.${method.name}`),
      state: values.state as string | undefined,
      numbers: new Map(Object.entries(values).flatMap(([key, value]) => numberOf(key, value))),
    };
  });
}

function numberOf(key: string, value: unknown): [string, bigint][] {
  if (typeof value !== 'string') return [];
  if (/^-?\d+$/.test(value)) return [[key, BigInt(value)]];
  const [, seconds, fraction = ''] = /^PT(\d+)(?:\.(\d{1,9}))?S$/.exec(value) ?? [];
  return seconds === undefined ? [] : [[key, BigInt(seconds + fraction.padEnd(9, '0'))]];
}
