// Numbers for people: `12.3 s`, `4.5 MiB`, `1.2 M`. The exact ones stand beside them.

type Scale = readonly (readonly [string, number])[];

const TIME: Scale = [
  ['h', 3.6e12],
  ['min', 6e10],
  ['s', 1e9],
  ['ms', 1e6],
  ['µs', 1e3],
  ['ns', 1],
];
const BYTES: Scale = [
  ['TiB', 1024 ** 4],
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['B', 1],
];
const PLAIN: Scale = [
  ['T', 1e12],
  ['G', 1e9],
  ['M', 1e6],
  ['k', 1e3],
  ['', 1],
];
/** What is one of the unit, in the smallest of its scale. */
const UNITS: ReadonlyMap<string, readonly [Scale, number]> = new Map([
  ['nanoseconds', [TIME, 1]],
  ['ns', [TIME, 1]],
  ['microseconds', [TIME, 1e3]],
  ['us', [TIME, 1e3]],
  ['milliseconds', [TIME, 1e6]],
  ['ms', [TIME, 1e6]],
  ['seconds', [TIME, 1e9]],
  ['s', [TIME, 1e9]],
  ['bytes', [BYTES, 1]],
  ['byte', [BYTES, 1]],
  ['kilobytes', [BYTES, 1024]],
]);
const DIGITS = 3;

/** Three digits and the unit that fits. */
export function human(value: bigint | number, unit: string): string {
  const [scale, factor] = UNITS.get(unit) ?? [PLAIN, 1];
  const scaled = Number(value) * factor;
  const [name, step] = scale.find(([, one]) => Math.abs(scaled) >= one) ?? scale.at(-1)!;
  return `${short(scaled / step)} ${name}`.trimEnd();
}

/** With its sign. */
export function change(value: bigint | number, unit: string): string {
  return `${value > 0 ? '+' : ''}${human(value, unit)}`;
}

/** No more digits than are read; whole numbers whole. */
function short(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const whole = Math.trunc(Math.abs(value)).toString().length;
  return value.toFixed(Math.max(0, DIGITS - whole));
}

/** Percent; undefined of nothing. */
export function percentOf(part: bigint | number, whole: bigint | number): number | undefined {
  return Number(whole) === 0 ? undefined : (100 * Number(part)) / Number(whole);
}

export function percentText(percent: number | undefined, sign = ''): string {
  if (percent === undefined) return '-';
  return `${percent > 0 ? sign : ''}${percent.toFixed(2)} %`;
}

/** RFC 3339, UTC, to the nanosecond where it says so. */
export function timeText(unixNanos: bigint): string {
  const seconds = unixNanos / 1_000_000_000n;
  const nanos = String(unixNanos % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const date = new Date(Number(seconds) * 1000);
  // Beyond the year 275760, and before 1970: no profile.
  if (unixNanos < 0n || Number.isNaN(date.getTime())) return `${unixNanos} ns`;
  return `${date.toISOString().slice(0, 19)}${nanos === '' ? '' : `.${nanos}`}Z`;
}
