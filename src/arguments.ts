// What stands behind a verb: options and the name of a queue, checked before anything is done.
import { parseArgs } from 'node:util';
import { fields } from './api/index.ts';
import { didYouMean } from './config/nearest.ts';
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
  help: { type: 'boolean', short: 'h' },
} as const;

export interface Arguments extends QueueOptions {
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
  /** Without this it cannot be done. */
  readonly needs?: keyof typeof OPTIONS;
  /** Of `--format`; the first is the default. */
  readonly formats?: readonly string[];
}

export const NO_ARGUMENTS: Arguments = {
  ...{ files: [], set: [], watch: false, origin: false, format: 'yaml', queue: undefined },
  ...{ dead: false, all: false, keep: false, yes: false },
  ...{ to: undefined, limit: undefined, sinceMs: undefined, untilMs: undefined },
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
    ({ values, positionals } = parseArgs({ args: argv, options, allowPositionals: verb.queue !== undefined }));
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
  if (positionals.length > 1) return `${name}: one queue at a time, not \`${positionals.join(' ')}\``;
  if (verb.needs && values[verb.needs] === undefined) return `${name}: say where to: --${verb.needs}`;
  const [limit, sinceMs, untilMs] = [values.limit, values.since, values.until] as (string | undefined)[];
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) return `--limit is a number of entries, not \`${limit}\``;
  const times = [sinceMs, untilMs].map(text => (text === undefined ? undefined : timeOf(text)));
  const wrong = [sinceMs, untilMs].find((_text, at) => Number.isNaN(times[at]));
  if (wrong !== undefined) return `\`${wrong}\` is no time: write 2026-01-31T08:00, or 2h for two hours ago`;
  const flags = { dead: values.dead === true, all: values.all === true, keep: values.keep === true };
  return {
    ...{ files, set: (values.set as string[] | undefined) ?? [], format },
    ...{ watch: values.watch === true, origin: values.origin === true },
    ...{ ...flags, yes: values.yes === true, queue: positionals[0], to: values.to as string | undefined },
    ...{ limit: limit === undefined ? undefined : Number(limit), sinceMs: times[0], untilMs: times[1] },
  };
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
`;
