const BLANK = '[ \\t]+';
/** Command, which may contain blanks, is what lies before: pid, tid, cpu. */
const TASK = `${BLANK}(-?[0-9]+)(?:/(-?[0-9]+))?${BLANK}(?:\\[[0-9]+\\]${BLANK})?`;
/** Flags of the moment as perf and ftrace print them, such as `d..1.`. */
const FLAGS = `(?:[-.a-zA-Z0-9#]{4,8}${BLANK})?`;
const EVENT = '(?:([0-9]+)[ \\t]+)?([a-zA-Z_][^ \\t]*):(?=[ \\t]|$)';
const WITH_TIME = new RegExp(`${TASK}${FLAGS}([0-9]+\\.[0-9]+):${BLANK}${EVENT}`, 'y');
const WITHOUT_TIME = new RegExp(`${TASK}()${EVENT}`, 'y');
/** Longer lines are none: whoever reads further looks for a header at each blank. */
const MAX_LENGTH = 8192;

/** The first line of a sample: `comm pid/tid [cpu] time: period event:`. Texts are one character per byte. */
export interface Header {
  readonly comm: string;
  /** The number behind the command: of the thread, where it is the only one. */
  readonly first: string;
  /** The thread, where there are two. */
  readonly second: string | undefined;
  /** Seconds, as printed; '' for none. */
  readonly time: string;
  readonly period: string | undefined;
  readonly event: string;
  /** What follows: a frame, the fields of a tracepoint, or nothing. */
  readonly rest: string;
}

/** What a line says as the first of a sample; undefined where it is none. */
export function headerOf(line: string): Header | undefined {
  if (line.length > MAX_LENGTH || line === '' || line[0] === '#') return undefined;
  return matched(line, WITH_TIME) ?? matched(line, WITHOUT_TIME);
}

function matched(line: string, pattern: RegExp): Header | undefined {
  // At each run of blanks behind the command's first letter; perf pads a short command in front.
  let at = 0;
  while (line[at] === ' ') at++;
  const from = at;
  for (;;) {
    while (at < line.length && line[at] !== ' ' && line[at] !== '\t') at++;
    if (at >= line.length || at === from) return undefined;
    pattern.lastIndex = at;
    const found = pattern.exec(line);
    if (found) {
      const [all, first, second, time, period, event] = found;
      return {
        comm: line.slice(from, at),
        first: first!,
        second,
        time: time!,
        period,
        event: event!,
        rest: line.slice(at + all.length),
      };
    }
    while (line[at] === ' ' || line[at] === '\t') at++;
  }
}

/** Nanoseconds, exact. @param time seconds, with up to nine digits behind the point; '' for none */
export function nanosOf(time: string): bigint | undefined {
  if (time === '' || time.length > MAX_TIME) return undefined;
  const [seconds, fraction] = time.split('.') as [string, string];
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}
const MAX_TIME = 24;
