import { pino } from 'pino';
import type { Logger } from '../api/index.ts';
import { pretty } from './pretty.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** The same phrase of the same component this often within a window; more are counted, and the count comes with the next one. */
const REPEATS = 10;
const WINDOW_MS = 10_000;
/** A second net below Secret: fields of these names are never shown. */
const SECRET_FIELDS = [
  'password',
  'token',
  'secret',
  'authorization',
  '*.password',
  '*.token',
  '*.secret',
  '*.authorization',
];

export interface RootLogger extends Logger {
  /** A logger whose lines carry these fields too. */
  child(fields: object): Logger;
  setLevel(level: Level): void;
}

/** Lines on stdout: JSON, or readable ones on a terminal. @param write replaces stdout, for tests */
export function createLogger(options: { level: Level; pretty: boolean; write?: (line: string) => void }): RootLogger {
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  const show = options.pretty ? (line: string) => write(pretty(line)) : write;
  const root = pino(
    {
      level: options.level,
      base: null,
      formatters: { level: label => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: '[redacted]' },
    },
    { write: show },
  );
  return {
    ...limited(root, {}),
    // Children share the root, so that a changed level holds for all of them.
    child: fields => limited(root, fields),
    setLevel: level => {
      root.level = level;
    },
  };
}

function limited(root: Pick<ReturnType<typeof pino>, Level | 'isLevelEnabled'>, bound: object): Logger {
  const seen = new Map<string, { sinceMs: number; count: number }>();
  const log = (level: Level) => (phrase: string, fields?: object) => {
    if (!root.isLevelEnabled(level)) return;
    const now = performance.now();
    const entry = seen.get(phrase);
    let suppressed = 0;
    if (!entry || now - entry.sinceMs > WINDOW_MS) {
      suppressed = entry ? Math.max(0, entry.count - REPEATS) : 0;
      seen.set(phrase, { sinceMs: now, count: 1 });
    } else if (++entry.count > REPEATS) return;
    root[level]({ ...bound, ...plain(fields), ...(suppressed > 0 && { suppressed }) }, phrase);
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

/** Errors become their message; with `stack: true` beside them, message and stack. */
function plain(fields: object | undefined): object | undefined {
  if (!fields || !('error' in fields) || !(fields.error instanceof Error)) return fields;
  const { error, stack: wanted, ...rest } = fields as { error: Error; stack?: boolean };
  return { ...rest, error: wanted ? { message: error.message, stack: error.stack } : error.message };
}
