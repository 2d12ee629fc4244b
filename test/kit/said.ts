// A profile in short lines, for tests of forms that name frames: what a reader of the profile would see.
import type { Columns } from '../../src/model/columns/columns.ts';

export interface Said {
  readonly types: string[];
  /** `root;…;leaf value value key=label`. */
  readonly samples: string[];
  readonly sums: bigint[];
}

/** A frame is its name, with file and line where there are some, or its address; inlined ones follow the frame they are in, behind `>`. */
export function said(columns: Columns): Said {
  const { samples, locations, functions, strings, labels, sampleTypes } = columns;
  const frame = (row: number): string => {
    const { lines } = locations;
    const names: string[] = [];
    for (let at = locations.lineStart[row]!; at < locations.lineEnd[row]!; at++) {
      const fn = lines.function[at]!;
      const file = strings.text(functions.file[fn]!);
      const line = lines.line.at(at);
      names.unshift(
        `${strings.text(functions.name[fn]!)}${file === '' ? '' : `@${file}`}${line === 0n ? '' : `:${line}`}`,
      );
    }
    return names.length > 0 ? names.join('>') : `0x${BigInt.asUintN(64, locations.address.at(row)).toString(16)}`;
  };
  const sums = sampleTypes.map(() => 0n);
  const all = Array.from({ length: samples.count }, (_none, sample) => {
    const stack = samples.stack.slice(samples.stackStart[sample], samples.stackEnd[sample]);
    const values = sampleTypes.map((_type, at) => samples.values.at(sample * samples.width + at));
    for (const [at, value] of values.entries()) sums[at]! += value;
    const texts: string[] = [];
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!)
      texts.push(`${strings.text(labels.key[label]!)}=${columns.labelText(label)}`);
    return [Array.from(stack, frame).reverse().join(';'), ...values, ...texts].join(' ');
  });
  const types = sampleTypes.map(({ type, unit }) => `${strings.text(type)}/${strings.text(unit)}`);
  return { types, samples: all, sums };
}

/** Files of mappings, in their order. */
export const mappedFiles = ({ mappings, strings }: Columns): string[] =>
  Array.from({ length: mappings.count - 1 }, (_none, at) => strings.text(mappings.file[at + 1]!));

/** The same bytes in memory that threads share. */
export function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
