/** A whole number in the notation of JSON or of Go: 12, -7, 1.0, 1e3. */
const WHOLE = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?$/;
/** Digits of 2^64. */
const MAX_DIGITS = 20;

/** The exact value; undefined where the text is no whole number, or far beyond 64 bits. */
export function wholeNumber(text: string): bigint | undefined {
  const [, sign, digits, fraction = '', exponent = '0'] = WHOLE.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const all = (digits + fraction).replace(/^0+/, '');
  const shift = Number(exponent) - fraction.length;
  if (all === '') return 0n;
  if (all.length + shift > MAX_DIGITS) return undefined;
  const zeros = all.slice(shift < 0 ? shift : all.length);
  const kept = shift < 0 ? all.slice(0, shift) : all + '0'.repeat(shift);
  if (/[1-9]/.test(zeros)) return undefined;
  const value = BigInt(kept === '' ? '0' : kept);
  return sign === '-' ? -value : value;
}

const NAMED = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);
const DOUBLE = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** A double; undefined where the text is none, or is too large for one. */
export function doubleNumber(text: string): number | undefined {
  const named = NAMED.get(text);
  if (named !== undefined) return named;
  const value = DOUBLE.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** A double in the notation of OTLP's JSON. */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0' : String(value);
}
