import { ColumnsBuilder } from '../../model/columns/builder.ts';
import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import { Strings } from '../../model/columns/strings.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { MAX_DECODED_BYTES, MAX_DETAILS, MAX_ELEMENTS } from '../pprof/limits.ts';
import { LabelReader, unescaped } from './label-reader.ts';
import { LineReader } from './line-reader.ts';
import { sourceOf } from './source.ts';
import { StackReader } from './stack-reader.ts';

export interface FoldedOptions {
  /** `count`: each line ends in its value (Pyroscope's groups). `lines`: no values, each line is one occurrence (Pyroscope's lines). */
  readonly values: 'count' | 'lines';
  /** A line that is neither stack and value, nor blank, nor a comment (`#`, `//` at its begin): refuse the text, or leave it out and count it as loss `folded_bad_line`. */
  readonly badLines: 'refuse' | 'skip';
  readonly maxBytes?: number;
}

const SAMPLES = [{ type: 'samples', unit: 'count' }];
/** In place of the row of a sample: the line is bad. */
const BAD = 0xffffffff;

/**
 * Folded stacks (brendangregg/FlameGraph, stackcollapse; Pyroscope's groups and lines): `root;…;leaf value`, and, beyond others, labels
 * before the value as `LabelReader` says. UTF-8, or UTF-16 with a mark. One sample type samples/count; raw counts; samples in the order of
 * lines, one per line (for `lines`: equal ones are counted into one sample, in order of first appearance).
 * @param raw may lie in shared memory; must not change while the columns are in use
 * @throws DecodeError empty_body, bad_string, bad_line, bad_value, too_deep, too_many_elements
 */
export function decodeFolded(raw: Uint8Array, options: FoldedOptions, losses?: Losses): Columns {
  return fillWithin(options.maxBytes ?? MAX_DECODED_BYTES, 0, () => {
    const decoder = new Decoder(sourceOf(raw), options, losses);
    if (options.values === 'count') decoder.counts();
    else decoder.lines();
    return decoder.end();
  });
}

class Decoder {
  readonly #bytes: Buffer;
  readonly #builder: ColumnsBuilder;
  readonly #lines: LineReader;
  readonly #stacks: StackReader;
  readonly #labels: LabelReader;
  readonly #refuses: boolean;
  readonly #losses: Losses | undefined;
  /** Row of an empty text that is none of '', which would make a label a number. */
  #emptyText = 0;

  constructor(bytes: Buffer, { badLines }: FoldedOptions, losses: Losses | undefined) {
    this.#bytes = bytes;
    this.#builder = new ColumnsBuilder(SAMPLES, bytes);
    this.#lines = new LineReader(bytes);
    this.#stacks = new StackReader(this.#builder, bytes);
    this.#labels = new LabelReader(bytes);
    this.#refuses = badLines === 'refuse';
    this.#losses = losses;
  }

  /** Lines that end in a value. */
  counts(): void {
    const lines = this.#lines;
    while (lines.next()) if (!lines.readValue() || !this.#sample(lines.from, lines.stackTo, lines.value)) this.#bad();
  }

  /** Lines that are occurrences. */
  lines(): void {
    const lines = this.#lines;
    const { samples } = this.#builder.columns;
    const seen = new Strings();
    seen.clear(this.#bytes);
    seen.add(0, 0);
    /** By row of what was seen; row 0 is no line. */
    const sampleOf = new Rows();
    sampleOf.push(BAD);
    const occurrences = new Rows();
    while (lines.next()) {
      const row = seen.internRange(lines.from, lines.to);
      if (row === sampleOf.length) {
        const isGood = this.#sample(lines.from, lines.to, 0n);
        sampleOf.push(isGood ? samples.count - 1 : BAD);
        if (isGood) occurrences.push(0);
      }
      const sample = sampleOf.items[row]!;
      if (sample === BAD) this.#bad();
      else occurrences.items[sample]!++;
    }
    for (let sample = 0; sample < samples.count; sample++)
      samples.values.set(sample, BigInt(occurrences.items[sample]!));
  }

  end(): Columns {
    const { columns } = this.#builder;
    if (columns.samples.count > 0) return columns;
    if (!this.#lines.saidSomething) throw new DecodeError('empty_body', 'the text is empty');
    throw new DecodeError('bad_line', 'no line is a stack');
  }

  /** Adds a sample; false where the text has control characters. */
  #sample(from: number, to: number, value: bigint): boolean {
    const { samples } = this.#builder.columns;
    const begin = this.#labels.begin(from, to);
    if (!this.#stacks.read(from, begin)) return false;
    if (samples.count === MAX_ELEMENTS) throw new DecodeError('too_many_elements', `more than ${MAX_ELEMENTS} samples`);
    this.#stacks.sample(value);
    if (begin !== to) this.#addLabels(begin, to);
    return true;
  }

  #addLabels(begin: number, to: number): void {
    const labels = this.#labels;
    const builder = this.#builder;
    labels.rewind(begin, to);
    while (labels.next()) {
      if (builder.columns.labels.count > MAX_DETAILS)
        throw new DecodeError('too_many_elements', `more than ${MAX_DETAILS} labels`);
      builder.label(builder.stringAt(labels.nameFrom, labels.nameTo), this.#valueText());
    }
  }

  #valueText(): number {
    const { valueFrom, valueTo, escaped } = this.#labels;
    const builder = this.#builder;
    if (escaped) return builder.string(unescaped(this.#bytes.toString('utf8', valueFrom, valueTo)));
    if (valueFrom !== valueTo) return builder.stringAt(valueFrom, valueTo);
    if (this.#emptyText === 0) this.#emptyText = builder.columns.strings.append('');
    return this.#emptyText;
  }

  #bad(): void {
    if (this.#refuses) throw new DecodeError('bad_line', `it is no stack and value, at line ${this.#lines.number}`);
    this.#losses?.add('folded_bad_line');
  }
}
