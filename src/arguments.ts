// What stands behind a verb: options, files or the name of a queue, checked before anything is done.
import { parseArgs } from 'node:util';
import { fields } from './api/index.ts';
import { didYouMean } from './config/nearest.ts';
import type { ProfileOptions } from './convert/options.ts';
import type { QueueOptions } from './queue/command.ts';

const OPTIONS = {
  config: { type: 'string', multiple: true, short: 'c' },
  set: { type: 'string', multiple: true },
  watch: { type: 'boolean' },
  origin: { type: 'boolean' },
  format: { type: 'string' },
  to: { type: 'string' },
  dead: { type: 'boolean' },
  all: { type: 'boolean' },
  keep: { type: 'boolean' },
  yes: { type: 'boolean' },
  limit: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  from: { type: 'string' },
  profile: { type: 'string' },
  type: { type: 'string' },
  labels: { type: 'boolean' },
  'jfr-labels': { type: 'string' },
  json: { type: 'boolean' },
  top: { type: 'string' },
  min: { type: 'string' },
  'fail-over': { type: 'string' },
  'per-second': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const PERCENT = /^(\d{1,9}(?:\.\d{1,9})?)%?$/;

export interface Arguments extends QueueOptions, ProfileOptions {
  readonly files: string[];
  readonly set: string[];
  readonly watch: boolean;
  readonly origin: boolean;
}
/** What a verb takes. */
export interface Takes {
  readonly options: readonly Exclude<keyof typeof OPTIONS, 'help'>[];
  /** Whether the name of a queue may follow the verb. */
  readonly queue?: 'needed' | 'allowed';
  /** What files are called that follow the verb; all are needed. */
  readonly operands?: readonly string[];
  /** Without this it cannot be done. */
  readonly needs?: keyof typeof OPTIONS;
  /** Of `--format`; the first is the default. */
  readonly formats?: readonly string[];
}

export const NO_ARGUMENTS: Arguments = {
  ...{ files: [], set: [], watch: false, origin: false, format: 'yaml', queue: undefined },
  ...{ dead: false, all: false, keep: false, yes: false },
  ...{ to: undefined, limit: undefined, sinceMs: undefined, untilMs: undefined },
  ...{ operands: [], from: undefined, profile: undefined, type: undefined, jfrLabels: undefined },
  ...{ labels: false, json: false, perSecond: false, top: undefined, min: undefined, failOver: undefined },
};

/** The arguments, `help`, or what is wrong with them. */
export function readArguments(name: string, verb: Takes, argv: string[]): Arguments | string {
  const allowed = Object.fromEntries(
    Object.entries(OPTIONS).filter(([key]) => key === 'help' || verb.options.some(option => option === key)),
  );
  let values: { [K in keyof typeof OPTIONS]?: unknown };
  let positionals: string[];
  try {
    const options = allowed as typeof OPTIONS;
    const allowPositionals = verb.queue !== undefined || verb.operands !== undefined;
    ({ values, positionals } = parseArgs({ args: argv, options, allowPositionals }));
  } catch (error) {
    return unknownOption(argv, Object.keys(allowed)) ?? `${name}: ${(error as Error).message.split('. ')[0]}`;
  }
  if (values.help) return 'help';
  const files = (values.config as string[] | undefined) ?? [];
  const [usual = 'yaml'] = verb.formats ?? [];
  const format = (values.format as string | undefined) ?? usual;
  if (verb.formats && !verb.formats.includes(format))
    return `--format is ${verb.formats.join(' or ')}, not \`${format}\``;
  if (verb.options.includes('config') && files.length === 0) return `${name}: say which configuration: --config FILE`;
  if (verb.queue === 'needed' && positionals.length === 0) return `${name}: say which queue: the id of an exporter`;
  const { operands } = verb;
  if (operands && positionals.length !== operands.length)
    return `${name}: write flamegate ${name} ${operands.join(' ')}; \`-\` is a pipe`;
  if (!operands && positionals.length > 1) return `${name}: one queue at a time, not \`${positionals.join(' ')}\``;
  if (verb.needs && values[verb.needs] === undefined) return `${name}: say where to: --${verb.needs}`;
  const [limit, sinceMs, untilMs] = [values.limit, values.since, values.until] as (string | undefined)[];
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) return `--limit is a number of entries, not \`${limit}\``;
  const times = [sinceMs, untilMs].map(text => (text === undefined ? undefined : timeOf(text)));
  const wrong = [sinceMs, untilMs].find((_text, at) => Number.isNaN(times[at]));
  if (wrong !== undefined) return `\`${wrong}\` is no time: write 2026-01-31T08:00, or 2h for two hours ago`;
  const [top, min, failOver] = [values.top, values.min, values['fail-over']] as (string | undefined)[];
  if (top !== undefined && !/^\d{1,9}$/.test(top)) return `--top is a number of functions, not \`${top}\``;
  const noPercent = [min, failOver].find(text => text !== undefined && !PERCENT.test(text));
  if (noPercent !== undefined) return `\`${noPercent}\` is no share: write 5%`;
  const flags = { dead: values.dead === true, all: values.all === true, keep: values.keep === true };
  return {
    ...{ files, set: (values.set as string[] | undefined) ?? [], format },
    ...{ watch: values.watch === true, origin: values.origin === true },
    ...{
      ...flags,
      yes: values.yes === true,
      queue: operands ? undefined : positionals[0],
      to: values.to as string | undefined,
    },
    ...{ limit: limit === undefined ? undefined : Number(limit), sinceMs: times[0], untilMs: times[1] },
    ...{ operands: operands ? positionals : [], from: values.from as string | undefined },
    ...{ profile: values.profile as string | undefined, type: values.type as string | undefined },
    ...{ labels: values.labels === true, jfrLabels: values['jfr-labels'] as string | undefined },
    ...{ json: values.json === true, perSecond: values['per-second'] === true },
    ...{ top: top === undefined ? undefined : Number(top), min: percentOf(min), failOver: percentOf(failOver) },
  };
}

function percentOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(PERCENT.exec(text)![1]);
}

/** Unix ms of a date, or of so long ago; NaN when it is neither. */
function timeOf(text: string): number {
  const agoMs = fields.parseDuration(text);
  if (agoMs !== undefined) return Date.now() - agoMs;
  return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
}

function unknownOption(argv: readonly string[], allowed: readonly string[]): string | undefined {
  const names = argv.filter(arg => arg.startsWith('--')).map(arg => arg.slice(2).split('=', 1)[0]!);
  const unknown = names.find(name => name !== '' && !allowed.includes(name));
  if (unknown === undefined) return undefined;
  const known = allowed.map(name => `--${name}`);
  return [`there is no option \`--${unknown}\` here`, didYouMean(`--${unknown}`, known)].filter(Boolean).join('; ');
}

/** For people. */
export const OPTIONS_TEXT = `options
  --config, -c FILE      configuration; several are merged in order
  --set KEY.PATH=VALUE   one value, after the files; VALUE is YAML
  --watch                (run) reload when a configuration file changes
  --origin               (print-config) add defaults and where each value came from
  --format FORMAT        (print-config) yaml or json, (queue ls) table or json, (queue peek) text or json
  --to EXPORTER|FOLDER   (queue replay) the exporter; (queue export) the folder
  --dead                 (queue) dead letters only; what replay takes unless a time is given
  --since, --until TIME  (queue) stored in this time: 2026-01-31T08:00, or 2h for two hours ago
  --limit N              (queue peek) default 20
  --keep                 (queue replay) dead letters stay as well
  --all, --yes           (queue purge) what waits for delivery too; without a question
  --to FORM              (convert) what to write, where the ending of OUT does not say it
  --from FORM            (convert, inspect, diff) what is read, where its content does not say it
  --profile, --type NAME (convert, inspect, diff) one of several profiles or sample types, as inspect prints them
  --labels               (convert) write the labels of samples into folded text
  --jfr-labels FILE      (convert, inspect, diff) the labels that Pyroscope's Java agent sends beside its JFR
  --top N                (inspect, diff) functions to show
  --fail-over PERCENT    (diff) exit 1 when the total, or a function's, grew by more than this share of A's total
  --min PERCENT          (diff) leave out functions that changed by less; default 0.1%
  --per-second           (diff) divide by how long each profile lasted
  --json                 (inspect, diff) for programs
`;
