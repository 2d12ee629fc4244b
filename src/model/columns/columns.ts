import { Functions } from './functions.ts';
import { Rows } from './growth.ts';
import { Labels } from './labels.ts';
import { Locations } from './locations.ts';
import { Mappings } from './mappings.ts';
import type { OtlpFields } from './otlp-fields.ts';
import { Samples } from './samples.ts';
import { Strings } from './strings.ts';
import type { Holder, UnknownFields } from './unknown.ts';

/** What a column of values measures: rows of strings. */
export interface ValueTypeRows {
  type: number;
  unit: number;
}

/**
 * A profile as a struct of arrays, the superset of pprof and OTLP: the types of an OTLP scope's Profiles are its sample types. What one thing says of another is a row number, checked by the decoder: strings from row 0, which
 * is '', samples from row 0, everything else from row 1, with row 0 for none. Arrays are longer than what they hold (`count` says
 * how much), and are replaced when they grow: take them from their table again after adding something.
 */
export class Columns {
  /** Set by whoever changes anything: what was not edited is never encoded again. The methods below set it. */
  edited = false;
  readonly strings = new Strings();
  sampleTypes: ValueTypeRows[] = [];
  readonly samples = new Samples();
  readonly labels = new Labels();
  readonly locations = new Locations();
  readonly functions = new Functions();
  readonly mappings = new Mappings();
  /** Rows of strings. */
  readonly comments = new Rows();
  dropFrames = 0;
  keepFrames = 0;
  defaultSampleType = 0;
  docUrl = 0;
  timeNanos = 0n;
  durationNanos = 0n;
  periodType: ValueTypeRows | undefined;
  period = 0n;
  unknown: UnknownFields | undefined;
  /** Of a profile that came as OTLP, or is to have what only OTLP says. */
  otlp: OtlpFields | undefined;
  /** Strings of the source that must not stay once nothing names them, though unknown fields may: 1, or 0 for not. Set by `hide`. */
  hidden: Uint8Array | undefined;

  /** The bytes that strings and unknown fields lie in. They must stay as they are while the columns are in use. */
  get source(): Uint8Array {
    return this.strings.source;
  }

  /** About what the arrays take, filled or not, bytes; without those that `clear` lets go. */
  get heldBytes(): number {
    const { strings, samples, labels, locations, functions, mappings } = this;
    const perRow =
      12 * samples.stackStart.length +
      24 * labels.key.length +
      21 * locations.mapping.length +
      20 * locations.lines.function.length +
      20 * functions.name.length +
      33 * mappings.file.length;
    const ids = locations.ids.heldBytes + functions.ids.heldBytes + mappings.ids.heldBytes;
    const rows = samples.stack.byteLength + samples.values.halves.byteLength + this.comments.items.byteLength;
    return perRow + ids + rows + strings.heldBytes + (labels.raw?.byteLength ?? 0) + (this.otlp?.heldBytes ?? 0);
  }

  /** For decoders: an empty profile over these bytes. Keeps the arrays. */
  clear(source: Uint8Array): void {
    this.edited = false;
    this.strings.clear(source);
    this.sampleTypes = [];
    this.samples.clear();
    this.labels.clear();
    this.locations.clear();
    this.functions.ids.clear();
    this.mappings.ids.clear();
    this.comments.length = 0;
    this.dropFrames = this.keepFrames = this.defaultSampleType = this.docUrl = 0;
    this.timeNanos = this.durationNanos = this.period = 0n;
    this.periodType = undefined;
    this.unknown = undefined;
    this.otlp = undefined;
    this.hidden = undefined;
  }

  /** Says that this text is to be seen nowhere that it was taken from, nor where nothing names it. */
  hide(string: number): void {
    const { sourceCount } = this.strings;
    if (string >= sourceCount) return;
    this.hidden ??= new Uint8Array(sourceCount);
    this.hidden[string] = 1;
  }

  /**
   * The row that all labels of this key have afterwards, so that comparing rows is comparing texts; -1 when no string has this text.
   * Some producers write a text into the table more than once.
   */
  labelKey(text: string): number {
    const { strings, labels } = this;
    const row = strings.find(text);
    if (row <= 0) return row;
    const bytes = strings.bytes(row);
    const twins = new Set<number>();
    for (let at = strings.next(bytes, row + 1); at >= 0; at = strings.next(bytes, at + 1)) twins.add(at);
    if (twins.size > 0)
      for (let label = 1; label < labels.count; label++) if (twins.has(labels.key[label]!)) labels.key[label] = row;
    return row;
  }

  /** The first label of a sample that has this key; 0 when there is none. */
  findLabel(sample: number, key: number): number {
    const { labels } = this;
    let label = this.samples.firstLabel[sample]!;
    while (label !== 0 && labels.key[label] !== key) label = labels.next[label]!;
    return label;
  }

  /** Gives a sample this one label of the key, a string; others of the key go. */
  setLabel(sample: number, key: number, text: number): void {
    const { labels } = this;
    let last = 0;
    let label = this.samples.firstLabel[sample]!;
    for (; label !== 0 && labels.key[label] !== key; label = labels.next[label]!) last = label;
    if (label === 0) {
      this.#append(sample, last, labels.add(key, text));
      return;
    }
    this.setLabelText(label, text);
    this.#deleteBehind(label, key);
  }

  /** Takes all labels of this key from a sample. */
  deleteLabel(sample: number, key: number): void {
    const { labels, samples } = this;
    let label = samples.firstLabel[sample]!;
    while (label !== 0 && labels.key[label] === key) {
      label = labels.next[label]!;
      samples.firstLabel[sample] = label;
      this.edited = true;
    }
    if (label !== 0) this.#deleteBehind(label, key);
  }

  /** The value of a label as text: a number in decimal. */
  labelText(label: number): string {
    const { labels, strings } = this;
    return labels.isNumber(label) ? String(labels.number.at(label)) : strings.text(labels.text[label]!);
  }

  /** Makes a label a string label of this value, where it is not that already. */
  setLabelText(label: number, text: number): void {
    if (this.labels.isText(label, text)) return;
    this.labels.setText(label, text);
    this.unknown?.of('label')?.remove(label);
    this.edited = true;
  }

  /** Forgets fields that nobody knows, and attributes that only the source says, of a mapping, location, line or function. */
  forget(holder: Holder, row: number): void {
    const unknown = this.unknown?.of(holder)?.remove(row) ?? false;
    const attributes = (holder === 'mapping' || holder === 'location') && (this.otlp?.forget(holder, row) ?? false);
    if (unknown || attributes) this.edited = true;
  }

  /** Takes from a sample the labels for which `gone` says so. */
  removeLabels(sample: number, gone: (label: number) => boolean): void {
    const { labels, samples } = this;
    let last = 0;
    for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) {
      if (!gone(label)) {
        last = label;
        continue;
      }
      if (last === 0) samples.firstLabel[sample] = labels.next[label]!;
      else labels.next[last] = labels.next[label]!;
      this.edited = true;
    }
  }

  /** A new location that has one frame: a function of this name, and nothing else. For what stands for other frames. */
  addFrame(name: string): number {
    const { strings, functions, locations } = this;
    const line = locations.lines.add(functions.add(strings.intern(name)));
    const row = locations.add(0);
    locations.lineStart[row] = line;
    locations.lineEnd[row] = line + 1;
    return row;
  }

  /** Keeps the samples for which `keep` says so; the values of the others are gone. */
  filterSamples(keep: (sample: number) => boolean): void {
    const { samples } = this;
    const places = this.unknown?.of('sample') && new Int32Array(samples.count).fill(-1);
    let kept = 0;
    for (let sample = 0; sample < samples.count; sample++) {
      if (!keep(sample)) continue;
      if (places) places[sample] = kept;
      if (kept !== sample) {
        samples.move(sample, kept);
        this.otlp?.move(sample, kept, samples.width);
      }
      kept++;
    }
    if (kept === samples.count) return;
    samples.count = kept;
    if (places) this.unknown?.of('sample')?.keep(sample => places[sample]!);
    this.edited = true;
  }

  #append(sample: number, last: number, label: number): void {
    if (last === 0) this.samples.firstLabel[sample] = label;
    else this.labels.next[last] = label;
    this.edited = true;
  }

  /** Deletes what has this key behind a label. */
  #deleteBehind(label: number, key: number): void {
    const { labels } = this;
    let last = label;
    for (let at = labels.next[last]!; at !== 0; at = labels.next[at]!)
      if (labels.key[at] === key) {
        labels.next[last] = labels.next[at]!;
        this.edited = true;
      } else last = at;
  }
}
