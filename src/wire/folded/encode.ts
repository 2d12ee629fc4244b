import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { CLOSING_BRACE, HASH, isBlank, NEWLINE, SEMICOLON, SLASH, SPACE } from './ascii.ts';
import { FrameNames } from './frame-names.ts';
import { LabelReader } from './label-reader.ts';
import { LabelWriter } from './label-writer.ts';
import { MAX_OCCURRENCES } from './limits.ts';
import { TextWriter } from './text-writer.ts';
import { countUnwritten } from './written-losses.ts';

export interface FoldedEncodeOptions {
  /** Column of values to write. */
  readonly type: number;
  readonly values: 'count' | 'lines';
  /** Whether labels of samples are written. */
  readonly labels: boolean;
}

/** What a line is that would be blank. */
const NO_STACK = '[no stack]';

/**
 * Samples as folded stacks: one line each, in their order, never combined (`lines`: as many lines as the value says). Root first, frames by
 * name of function, inlined ones expanded, caller first; where a location has no function, its address in hex (`0x…`). A stack without
 * frames is the empty text before its value. What `decodeFolded` would read in another way is written so that it reads a stack of about this
 * name: behind a space where it looks like a comment, with one behind it where it looks like labels.
 * @returns a fresh text in UTF-8
 * @throws DecodeError no_sample_type, too_large
 */
export function encodeFolded(columns: Columns, options: FoldedEncodeOptions, losses?: Losses): Uint8Array {
  if (options.type >= columns.sampleTypes.length)
    throw new DecodeError('no_sample_type', 'the profile has no such sample type');
  return new Encoder(columns, options, losses).encode();
}

class Encoder {
  readonly #columns: Columns;
  readonly #options: FoldedEncodeOptions;
  readonly #losses: Losses | undefined;
  readonly #out = new TextWriter();
  readonly #names: FrameNames;
  readonly #labels: LabelWriter;
  /** By row of locations. */
  readonly #used: Uint8Array;
  #occurrences = 0;

  constructor(columns: Columns, options: FoldedEncodeOptions, losses: Losses | undefined) {
    this.#columns = columns;
    this.#options = options;
    this.#losses = losses;
    this.#names = new FrameNames(columns, this.#out);
    this.#labels = new LabelWriter(columns, this.#out, losses);
    this.#used = new Uint8Array(columns.locations.count);
  }

  encode(): Uint8Array {
    const { samples } = this.#columns;
    const { halves } = samples.values;
    for (let sample = samples.from; sample < samples.count; sample++) {
      const at = 2 * (sample * samples.width + this.#options.type);
      this.#sample(sample, halves[at]!, halves[at + 1]!);
    }
    if (this.#losses) countUnwritten(this.#columns, this.#used, this.#losses);
    return this.#out.written();
  }

  #sample(sample: number, lo: number, hi: number): void {
    const out = this.#out;
    const isCount = this.#options.values === 'count';
    if ((hi | 0) < 0 || (!isCount && hi === 0 && lo === 0)) {
      this.#losses?.add('folded_negative');
      return;
    }
    const from = out.length;
    const named = this.#stack(sample);
    const labelled = this.#options.labels && this.#labels.write(this.#columns.samples.firstLabel[sample]!);
    const ended = this.#guardEnd(from, labelled);
    const begun = this.#guardBegin(from, labelled);
    if (!named || !ended || !begun) this.#losses?.add('folded_frame_text');
    if (!this.#options.labels) this.#unwrittenLabels(sample);
    if (isCount) {
      out.byte(SPACE);
      out.number(lo, hi);
    }
    out.byte(NEWLINE);
    if (!isCount) this.#repeat(from, hi * 2 ** 32 + lo);
  }

  /** Writes the frames; false where they cannot be said as they are. */
  #stack(sample: number): boolean {
    const { stack, stackStart, stackEnd } = this.#columns.samples;
    const out = this.#out;
    const from = out.length;
    const start = stackStart[sample]!;
    const end = stackEnd[sample]!;
    let faithful = true;
    for (let at = end - 1; at >= start; at--) {
      const location = stack[at]!;
      if (at < end - 1) out.byte(SEMICOLON);
      faithful = this.#names.location(location) && faithful;
      this.#used[location] = 1;
    }
    // One frame without a name is written as no frame is.
    return faithful && (start === end || out.length > from);
  }

  /** Where frames end as labels do; false where something was changed. */
  #guardEnd(from: number, labelled: boolean): boolean {
    const out = this.#out;
    if (labelled || out.bytes[out.length - 1] !== CLOSING_BRACE) return true;
    if (new LabelReader(out.bytes).begin(from, out.length) === out.length) return true;
    out.byte(SPACE);
    return false;
  }

  /** Where a line begins as a comment does, or a text as one with a mark of its encoding, or where a line would be blank. */
  #guardBegin(from: number, labelled: boolean): boolean {
    const out = this.#out;
    const { bytes } = out;
    if (this.#options.values === 'lines' && !labelled) {
      let at = from;
      while (at < out.length && isBlank(bytes[at]!)) at++;
      if (at === out.length) {
        out.length = from;
        out.text(NO_STACK);
        return false;
      }
    }
    const length = out.length - from;
    const isComment = length > 0 && (bytes[from] === HASH || (length > 1 && isDoubleSlash(bytes, from)));
    const isMark = from === 0 && length > 2 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    if (!isComment && !isMark) return true;
    out.insert(from, SPACE);
    return false;
  }

  #unwrittenLabels(sample: number): void {
    const { labels, samples } = this.#columns;
    let count = 0;
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) count++;
    this.#losses?.add('folded_labels', count);
  }

  #repeat(from: number, times: number): void {
    this.#occurrences += times;
    if (this.#occurrences > MAX_OCCURRENCES)
      throw new DecodeError('too_large', `the values are more than ${MAX_OCCURRENCES} occurrences`);
    this.#out.repeat(from, times);
  }
}

const isDoubleSlash = (bytes: Uint8Array, at: number) => bytes[at] === SLASH && bytes[at + 1] === SLASH;
