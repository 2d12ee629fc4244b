// What a name, or `--to`, asks to be written.
import type { Encoding } from '../model/payload.ts';
import { PIPE } from './input.ts';
import { MISUSED, Refusal } from './refusal.ts';

/** Names as the `file` exporter has them. */
export type Format = 'pprof' | 'otlp' | 'otlp_json' | 'folded' | 'lines' | 'speedscope';

export interface Target {
  readonly format: Format;
  readonly encoding: Encoding;
}

/** Whether one file holds several profiles. */
export const HOLDS_SEVERAL: Readonly<Record<Format, boolean>> = {
  pprof: false,
  otlp: true,
  otlp_json: true,
  folded: false,
  lines: false,
  speedscope: true,
};

/** The first that fits decides. */
const ENDINGS: readonly (readonly [string, Format])[] = [
  ['.speedscope.json', 'speedscope'],
  ['.speedscope', 'speedscope'],
  ['.json', 'otlp_json'],
  ['.jsonl', 'otlp_json'],
  ['.otlp', 'otlp'],
  ['.otlp.pb', 'otlp'],
  ['.pb', 'pprof'],
  ['.pprof', 'pprof'],
  ['.prof', 'pprof'],
  ['.folded', 'folded'],
  ['.collapsed', 'folded'],
  ['.txt', 'folded'],
  ['.lines', 'lines'],
];
/** Go's tools write these compressed, whatever they are called. */
const ALWAYS_GZIP = /\.(?:pprof|prof)$/;
const COMPRESSED: readonly (readonly [string, Encoding])[] = [
  ['.gz', 'gzip'],
  ['.zst', 'zstd'],
];

/** @throws Refusal where neither the name nor `to` says a form */
export function targetOf(file: string, to: string | undefined): Target {
  const asked = to === undefined ? undefined : formatNamed(to);
  const name = file.toLowerCase();
  const [ending, encoding] = COMPRESSED.find(([end]) => name.endsWith(end)) ?? (['', 'identity'] as const);
  const stem = name.slice(0, name.length - ending.length);
  const format = asked ?? ENDINGS.find(([end]) => stem.endsWith(end))?.[1];
  if (!format) {
    const what =
      file === PIPE ? 'a pipe has no ending that says what to write' : `${file}: its ending does not say what to write`;
    throw new Refusal(`${what}; add --to ${Object.keys(HOLDS_SEVERAL).join(' | ')}`, MISUSED);
  }
  const isGo = format === 'pprof' && encoding === 'identity' && ALWAYS_GZIP.test(stem);
  return { format, encoding: isGo ? 'gzip' : encoding };
}

function formatNamed(to: string): Format {
  if (Object.hasOwn(HOLDS_SEVERAL, to)) return to as Format;
  throw new Refusal(`--to is one of ${Object.keys(HOLDS_SEVERAL).join(', ')}, not \`${to}\``, MISUSED);
}
