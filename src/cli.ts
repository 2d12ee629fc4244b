// The verbs. Each reads its arguments, does one thing, and answers with an exit code; only main.ts ends the process.
import { stringify } from 'yaml';
import type { Factory } from './api/index.ts';
import { type Arguments, NO_ARGUMENTS, OPTIONS_TEXT, readArguments, type Takes } from './arguments.ts';
import { fileSchema } from './config/json-schema.ts';
import { type Finding, formatFindings, type Loaded, loadPlan } from './config/load.ts';
import { didYouMean } from './config/nearest.ts';
import type { Plan } from './config/plan.ts';
import { printConfig } from './config/print.ts';
import type { ProfileVerb } from './convert/command.ts';
import type { ProfileOptions, Speaker as ProfileSpeaker } from './convert/options.ts';
import type { QueueOptions, QueueVerb, Speaker } from './queue/command.ts';
import { VERSION } from './version.ts';

/** What the verbs need of the process and of the other rooms. Tests hand in their own. */
export interface Surroundings {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly components: () => Promise<readonly Factory[]>;
  readonly run: (options: { files: string[]; set: string[]; watch: boolean }) => Promise<number>;
  /** Builds the graph of a plan and throws it away; what cannot be built is a finding. */
  readonly build: (plan: Plan) => Promise<readonly Finding[]> | readonly Finding[];
  readonly queue: (verb: QueueVerb, plan: Plan, options: QueueOptions, say: Speaker) => Promise<number>;
  readonly profile: (verb: ProfileVerb, options: ProfileOptions, say: ProfileSpeaker) => Promise<number>;
  /** Asks the person at the terminal; undefined when there is none. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

/** Exit codes: 0 done, 1 the configuration has errors (or what was asked for could not be done), 2 the command line is wrong. */
const DONE = 0;
const BAD_CONFIG = 1;
const BAD_USAGE = 2;

const REAL: Surroundings = {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  env: process.env,
  // Loaded when asked for: `help` and `version` need none of it.
  components: async () => (await import('./components.ts')).components,
  run: async options => (await import('./run.ts')).run(options),
  // ── the one call of the pipeline room from here ──
  build: async plan => (await import('./dry.ts')).buildDry(plan),
  queue: async (...asked) => (await import('./queue/command.ts')).queueCommand(...asked),
  profile: async (...asked) => (await import('./convert/command.ts')).profileCommand(...asked),
  confirm: process.stdin.isTTY && process.stderr.isTTY ? confirm : undefined,
};

async function confirm(question: string): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(question);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

interface Verb extends Takes {
  readonly summary: string;
  act(args: Arguments, around: Surroundings): Promise<number>;
}

/** One verb of `flamegate queue`: what it needs beside the configuration it has from its own room. */
const queue =
  (verb: QueueVerb): Verb['act'] =>
  async (args, around) => {
    const loaded = await load(args, around);
    if (!loaded.ok) return complain(loaded.findings, around);
    return around.queue(verb, loaded.plan, args, around);
  };

const profile =
  (verb: ProfileVerb): Verb['act'] =>
  (args, around) =>
    around.profile(verb, args, around);

const VERBS: Readonly<Record<string, Verb>> = {
  run: {
    summary:
      'Run the gateway until it is told to stop. SIGHUP reloads the configuration, --watch whenever a file changes.',
    options: ['config', 'set', 'watch'],
    act: ({ files, set, watch }, around) => around.run({ files, set, watch }),
  },
  validate: {
    summary: 'Check the configuration and build the pipelines without starting them. Silent when all is well.',
    options: ['config', 'set'],
    act: async (args, around) => {
      const loaded = await load(args, around);
      if (!loaded.ok) return complain(loaded.findings, around);
      return complain([...loaded.plan.warnings, ...(await around.build(loaded.plan))], around);
    },
  },
  components: {
    summary: 'List what can be configured, as YAML.',
    options: [],
    act: async (_args, around) => {
      const list = await around.components();
      const rows = list.map(({ type, kind, stability, summary }) => ({
        type,
        kind,
        stability,
        summary,
        version: VERSION,
      }));
      around.out(stringify(rows, { lineWidth: 0 }));
      return DONE;
    },
  },
  'print-config': {
    summary:
      'Print the configuration after merging and expanding, secrets masked. --origin adds defaults and where each value came from.',
    options: ['config', 'set', 'origin', 'format'],
    formats: ['yaml', 'json'],
    act: async (args, around) => {
      const loaded = await load(args, around);
      if (loaded.resolved)
        around.out(printConfig(loaded.resolved, { ...args, format: args.format as 'yaml' | 'json' }));
      return complain(loaded.ok ? loaded.plan.warnings : loaded.findings, around);
    },
  },
  schema: {
    summary: 'Print the JSON Schema of the configuration file, for editors.',
    options: [],
    act: async (_args, around) => {
      around.out(`${JSON.stringify(fileSchema(await around.components()), undefined, 2)}\n`);
      return DONE;
    },
  },
  'queue ls': {
    summary: 'List the queues on disk: what waits, what is dead and why. Of a running gateway too, as all of these.',
    options: ['config', 'set', 'format'],
    formats: ['table', 'json'],
    act: queue('ls'),
  },
  'queue peek': {
    summary: 'Show the oldest entries of a queue.',
    options: ['config', 'set', 'dead', 'limit', 'since', 'until', 'format'],
    queue: 'needed',
    formats: ['text', 'json'],
    act: queue('peek'),
  },
  'queue export': {
    summary: 'Write what is in a queue, or in all, to a folder: payloads as they were received, each with its JSON.',
    options: ['config', 'set', 'to', 'dead', 'since', 'until'],
    queue: 'allowed',
    needs: 'to',
    act: queue('export'),
  },
  'queue replay': {
    summary: 'Queue dead letters, or what was stored in a time, for an exporter once more.',
    options: ['config', 'set', 'to', 'dead', 'since', 'until', 'keep'],
    queue: 'allowed',
    needs: 'to',
    act: queue('replay'),
  },
  'queue purge': {
    summary: 'Delete dead letters, or all that nobody is delivering.',
    options: ['config', 'set', 'dead', 'all', 'yes'],
    queue: 'allowed',
    act: queue('purge'),
  },
  'queue verify': {
    summary: 'Read every payload on disk and compare its checksum.',
    options: ['config', 'set'],
    act: queue('verify'),
  },
  convert: {
    summary: 'Write a profile in another form: IN is read by its content, OUT written by its ending. `-` is a pipe.',
    options: ['to', 'from', 'profile', 'type', 'labels', 'jfr-labels'],
    operands: ['IN', 'OUT'],
    act: profile('convert'),
  },
  inspect: {
    summary: 'Say what is in a profile, whatever its form: types, totals, times, labels, top functions.',
    options: ['from', 'profile', 'type', 'jfr-labels', 'top', 'json'],
    operands: ['FILE'],
    act: profile('inspect'),
  },
  diff: {
    summary: 'Say what grew and shrank from profile A to B, per function. Exits 1 past --fail-over.',
    options: ['from', 'profile', 'type', 'jfr-labels', 'top', 'min', 'fail-over', 'per-second', 'json'],
    operands: ['A', 'B'],
    act: profile('diff'),
  },
  version: {
    summary: 'Print the version.',
    options: [],
    act: async (_args, around) => {
      around.out(`flamegate ${VERSION}\n`);
      return DONE;
    },
  },
  help: {
    summary: 'Print this.',
    options: [],
    act: async (_args, around) => {
      around.out(usage());
      return DONE;
    },
  },
};

/** Runs one verb; resolves with the exit code of the process. `argv` without node and script. */
export async function main(argv: readonly string[], surroundings: Partial<Surroundings> = {}): Promise<number> {
  const around = { ...REAL, ...surroundings };
  const [first, ...rest] = argv;
  if (first === '--version' || first === '-v') return VERBS.version!.act(NO_ARGUMENTS, around);
  if (first === '--help' || first === '-h') return VERBS.help!.act(NO_ARGUMENTS, around);
  if (first === undefined) return misuse('say what to do', around);
  const name = nameOf(first, rest[0]);
  if (!Object.hasOwn(VERBS, name)) {
    const seconds = Object.keys(VERBS).flatMap(verb =>
      verb.startsWith(`${first} `) ? [verb.slice(first.length + 1)] : [],
    );
    if (name === first && seconds.length > 0) return misuse(`${first}: say what to do: ${seconds.join(', ')}`, around);
    const what = first.startsWith('-') ? `give the verb before \`${first}\`` : `there is no verb \`${name}\``;
    return misuse([what, didYouMean(name, Object.keys(VERBS))].filter(Boolean).join('; '), around);
  }
  const verb = VERBS[name]!;
  const args = readArguments(name, verb, name === first ? rest : rest.slice(1));
  if (args === 'help') return VERBS.help!.act(NO_ARGUMENTS, around);
  return typeof args === 'string' ? misuse(args, around) : verb.act(args, around);
}

/** Some verbs are two words. */
function nameOf(first: string, second: string | undefined): string {
  const two = Object.keys(VERBS).some(name => name.startsWith(`${first} `));
  return two && second !== undefined && !second.startsWith('-') ? `${first} ${second}` : first;
}

async function load({ files, set }: Arguments, around: Surroundings): Promise<Loaded> {
  return loadPlan({ files, set, factories: await around.components(), env: around.env });
}

function complain(findings: readonly Finding[], around: Surroundings): number {
  if (findings.length > 0) around.err(formatFindings(findings));
  return findings.some(finding => finding.severity === 'error') ? BAD_CONFIG : DONE;
}

function misuse(message: string, around: Surroundings): number {
  around.err(`flamegate: ${message}\n\n${usage()}`);
  return BAD_USAGE;
}

function usage(): string {
  const width = Math.max(...Object.keys(VERBS).map(name => name.length));
  const verbs = Object.entries(VERBS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}\n`);
  return `usage: flamegate <verb> [options]

${verbs.join('')}
${OPTIONS_TEXT}`;
}
