// The verbs. Each reads its arguments, does one thing, and answers with an exit code; only main.ts ends the process.
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import type { Factory } from './api/index.ts';
import { fileSchema } from './config/json-schema.ts';
import { type Finding, formatFindings, type Loaded, loadPlan } from './config/load.ts';
import { didYouMean } from './config/nearest.ts';
import type { Plan } from './config/plan.ts';
import { printConfig } from './config/print.ts';
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
}

/** Exit codes: 0 done, 1 the configuration has errors (or the gateway could not start), 2 the command line is wrong. */
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
};

interface Arguments {
  readonly files: string[];
  readonly set: string[];
  readonly origin: boolean;
  readonly watch: boolean;
  readonly format: 'yaml' | 'json';
}
interface Verb {
  readonly summary: string;
  readonly options: readonly ('config' | 'set' | 'watch' | 'origin' | 'format')[];
  act(args: Arguments, around: Surroundings): Promise<number>;
}

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
    act: async (args, around) => {
      const loaded = await load(args, around);
      if (loaded.resolved) around.out(printConfig(loaded.resolved, args));
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

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  watch: { type: 'boolean' },
  origin: { type: 'boolean' },
  format: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Runs one verb; resolves with the exit code of the process. `argv` without node and script. */
export async function main(argv: readonly string[], surroundings: Partial<Surroundings> = {}): Promise<number> {
  const around = { ...REAL, ...surroundings };
  const [first, ...rest] = argv;
  if (first === '--version' || first === '-v') return VERBS.version!.act(NO_ARGUMENTS, around);
  if (first === '--help' || first === '-h') return VERBS.help!.act(NO_ARGUMENTS, around);
  if (first === undefined) return misuse('say what to do', around);
  if (!Object.hasOwn(VERBS, first)) {
    const what = first.startsWith('-') ? `give the verb before \`${first}\`` : `there is no verb \`${first}\``;
    return misuse([what, didYouMean(first, Object.keys(VERBS))].filter(Boolean).join('; '), around);
  }
  const verb = VERBS[first]!;
  const args = readArguments(first, verb, rest);
  if (args === 'help') return VERBS.help!.act(NO_ARGUMENTS, around);
  return typeof args === 'string' ? misuse(args, around) : verb.act(args, around);
}

const NO_ARGUMENTS: Arguments = { files: [], set: [], watch: false, origin: false, format: 'yaml' };

/** The arguments, `help`, or what is wrong with them. */
function readArguments(name: string, verb: Verb, argv: string[]): Arguments | string {
  const allowed = Object.fromEntries(
    Object.entries(OPTIONS).filter(([key]) => key === 'help' || verb.options.some(option => option === key)),
  );
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({ args: argv, options: allowed as typeof OPTIONS, allowPositionals: false }));
  } catch (error) {
    return unknownOption(argv, Object.keys(allowed)) ?? `${name}: ${(error as Error).message.split('. ')[0]}`;
  }
  if (values.help) return 'help';
  const files = (values.config as string[] | undefined) ?? [];
  const format = (values.format as string | undefined) ?? 'yaml';
  if (format !== 'yaml' && format !== 'json') return `--format is yaml or json, not \`${format}\``;
  if (verb.options.includes('config') && files.length === 0) return `${name}: say which configuration: --config FILE`;
  const set = (values.set as string[] | undefined) ?? [];
  return { files, set, watch: values.watch === true, origin: values.origin === true, format };
}

function unknownOption(argv: readonly string[], allowed: readonly string[]): string | undefined {
  const names = argv.filter(arg => arg.startsWith('--')).map(arg => arg.slice(2).split('=', 1)[0]!);
  const unknown = names.find(name => name !== '' && !allowed.includes(name));
  if (unknown === undefined) return undefined;
  const known = allowed.map(name => `--${name}`);
  return [`there is no option \`--${unknown}\` here`, didYouMean(`--${unknown}`, known)].filter(Boolean).join('; ');
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
options
  --config, -c FILE      configuration; several are merged in order
  --set KEY.PATH=VALUE   one value, after the files; VALUE is YAML
  --watch                (run) reload when a configuration file changes
  --origin               (print-config) add defaults and where each value came from
  --format yaml|json     (print-config) default yaml
`;
}
