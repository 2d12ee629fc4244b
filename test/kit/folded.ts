// Folded text as plain values: what columns say of it, a reader that shares nothing with src, and texts and samples at random.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { ColumnsBuilder } from '../../src/model/columns/builder.ts';
import type { Columns } from '../../src/model/columns/columns.ts';

export interface PlainSample {
  /** Root first. */
  readonly stack: readonly string[];
  readonly labels: readonly (readonly [string, string])[];
  readonly value: bigint;
}

/** Samples of columns whose locations have one function each; a label's number as its text. */
export function samplesOf(columns: Columns, type = 0): PlainSample[] {
  const { strings, samples, locations, functions, labels } = columns;
  return Array.from({ length: samples.count }, (_none, row) => {
    const rows = [...samples.stack.subarray(samples.stackStart[row]!, samples.stackEnd[row]!)].reverse();
    const own: [string, string][] = [];
    for (let label = samples.firstLabel[row]!; label !== 0; label = labels.next[label]!)
      own.push([
        strings.text(labels.key[label]!),
        labels.isNumber(label) ? String(labels.number.at(label)) : strings.text(labels.text[label]!),
      ]);
    const stack = rows.map(one => strings.text(functions.name[locations.lines.function[locations.lineStart[one]!]!]!));
    return { stack, labels: own, value: samples.values.at(row * samples.width + type) };
  });
}

/** Columns that say these samples, by another way than the decoder's. */
export function columnsOf(samples: readonly PlainSample[]): Columns {
  const builder = new ColumnsBuilder([{ type: 'samples', unit: 'count' }]);
  for (const { stack, labels, value } of samples) {
    const rows = stack.map(name => builder.location({ function: builder.function({ name: builder.string(name) }) }));
    builder.sample(rows.reverse(), rows.length, value);
    for (const [name, text] of labels)
      builder.label(builder.string(name), text === '' ? builder.columns.strings.append('') : builder.string(text));
  }
  return builder.columns;
}

const LABELS =
  / \{([A-Za-z_][A-Za-z0-9_.]*="(?:[^"\\]|\\[\\"n])*"(?:,[A-Za-z_][A-Za-z0-9_.]*="(?:[^"\\]|\\[\\"n])*")*)\}$/;
const LABEL = /([A-Za-z_][A-Za-z0-9_.]*)="((?:[^"\\]|\\[\\"n])*)"/g;

/** The samples of a text, by patterns; of lines that occur, one sample for each. Lines that are none are left out. */
export function naive(text: string, values: 'count' | 'lines'): PlainSample[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map(line => line.replace(/\r$/, ''))
    .filter(line => !/^[ \t]*$/.test(line) && !/^(#|\/\/)/.test(line))
    .flatMap(line => {
      const [, stack, count] = values === 'count' ? (/^(.*)[ \t]([0-9]+)[ \t]*$/s.exec(line) ?? []) : ['', line, '1'];
      if (stack === undefined || /[\x00-\x08\x0a-\x1f\x7f]/.test(line)) return [];
      const found = LABELS.exec(stack);
      const frames = found ? stack.slice(0, found.index) : stack;
      const labels = [...(found?.[1]?.matchAll(LABEL) ?? [])].map(
        ([, name, value]) => [name!, value!.replace(/\\(.)/g, (_all, one) => (one === 'n' ? '\n' : one))] as const,
      );
      return [{ stack: frames === '' ? [] : frames.split(';'), labels, value: BigInt(count!) }];
    });
}

/** Sum of all values. */
export const sumOf = (samples: readonly PlainSample[]): bigint => samples.reduce((sum, { value }) => sum + value, 0n);

/** Equal stacks as one, by stack. */
export function byStack(samples: readonly PlainSample[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { stack, value } of samples) {
    const key = stack.join(';');
    sums.set(key, (sums.get(key) ?? 0n) + value);
  }
  return sums;
}

/** The `stackSha256` of a manifest: of the sorted lines, equal stacks as one. */
export function stackHash(samples: readonly PlainSample[]): string {
  const lines = [...byStack(samples)].map(([stack, value]) => `${stack} ${value}\n`).sort();
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** What makes readers stumble, and ordinary text. */
const TRICKY = [
  '{',
  '}',
  ' ',
  '"',
  '\\',
  '=',
  ',',
  'a',
  'n',
  '1',
  '-',
  '#',
  '/',
  '{a="b"}',
  ' {a="',
  '{{closure}}',
  '\t',
  'é',
];
const tricky = fc.array(fc.constantFrom(...TRICKY), { maxLength: 8 }).map(parts => parts.join(''));
export const anyFrame: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('main', 'work', 'operator new', 'f<T>::{{closure}}', 'run (a.py:12)'),
  tricky,
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
/** Frames that a line can say: without its own characters. */
export const frame = anyFrame.map(text => text.replace(/[\x00-\x08\x0a-\x1f\x7f;]/g, '.'));
const label = fc.tuple(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.]{0,6}$/),
  fc.oneof(tricky, fc.constantFrom('', 'bike', 'a\nb', 'x {b="y"}', '\\"')).map(text => text.replace(/\x00/g, '')),
);
export const count = fc.oneof(
  fc.bigInt({ min: 0n, max: 20n }),
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  fc.constantFrom(2n ** 63n - 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 10n ** 15n, 10n ** 15n - 1n),
);
/** Samples that a text can say, one per line. */
export const sayable: fc.Arbitrary<PlainSample[]> = fc.array(
  fc.record({ stack: fc.array(frame, { maxLength: 6 }), labels: fc.array(label, { maxLength: 3 }), value: count }),
  { minLength: 1, maxLength: 12 },
);
