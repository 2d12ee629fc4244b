import type { Columns } from '../../model/columns/columns.ts';
import { Rows } from '../../model/columns/growth.ts';
import { LINK_BYTES } from '../../model/columns/links.ts';
import { BOTH, PLAIN, TIMES, VALUE } from '../../model/columns/observations.ts';
import type { Losses } from '../convert/losses.ts';
import { type BackWriter, putBytes, putField, putField64, putHalves, putHead } from '../pprof/back-writer.ts';
import { writeAnyValue } from './any-value.ts';
import type { Dictionary } from './encode-dictionary.ts';
import { LabelEncoder } from './encode-labels.ts';
import { putPacked, SymbolEncoder } from './encode-symbols.ts';
import { ascending, Identities } from './identities.ts';
import { COMMENT, DOC_URL, DROP_FRAMES, KEEP_FRAMES } from './profile-attributes.ts';
import type { SourceAttributes } from './source-attributes.ts';
import { addInt64s } from './sum.ts';

/** Columns whose rows all stand in the dictionary, so that their Profiles can be written, the last one first. */
export class ProfileEncoder {
  readonly columns: Columns;
  readonly labels: LabelEncoder;
  readonly #dictionary: Dictionary;
  /** By sample: rows of the dictionary. */
  readonly #stacks: Uint32Array;
  readonly #links: Uint32Array;
  readonly #attributes = new Rows();
  readonly #attributeEnds: Uint32Array;
  /** By sample: 1 where another has the same identity. Only where that tells which zeros to write. */
  #twins: Uint8Array | undefined;
  readonly #profileAttributes = new Rows();
  readonly #types: { type: number; unit: number }[];
  readonly #periodType: { type: number; unit: number } | undefined;
  readonly #sum = new Uint32Array(2);

  constructor(
    columns: Columns,
    dictionary: Dictionary,
    source: SourceAttributes | undefined,
    losses: Losses | undefined,
  ) {
    this.columns = columns;
    this.#dictionary = dictionary;
    this.labels = new LabelEncoder(columns, dictionary, losses);
    const { samples, otlp } = columns;
    const valueType = ({ type, unit }: { type: number; unit: number }) => ({
      type: this.labels.string(type),
      unit: this.labels.string(unit),
    });
    this.#types = columns.sampleTypes.map(valueType);
    this.#periodType = columns.periodType && valueType(columns.periodType);
    this.#addProfileAttributes();
    this.#stacks = new Uint32Array(samples.count);
    this.#links = new Uint32Array(samples.count);
    this.#attributeEnds = new Uint32Array(samples.count);
    const symbols = new SymbolEncoder(columns, dictionary, this.labels, source);
    symbols.mappings();
    for (let sample = 0; sample < samples.count; sample++) {
      this.#stacks[sample] = symbols.stack(sample);
      this.labels.chain(samples.firstLabel[sample]!, this.#attributes);
      this.#attributeEnds[sample] = this.#attributes.length;
      const link = otlp?.link[sample] ?? 0;
      if (link !== 0) this.#links[sample] = this.#link(link);
    }
    if (losses && !otlp?.observations) symbols.countUnreferenced(losses);
    if (!otlp?.observations && samples.width > 1) this.#twins = this.#findTwins();
  }

  #link(row: number): number {
    const { links } = this.columns.otlp!;
    return this.#dictionary.link(links.ids.subarray(row * LINK_BYTES, (row + 1) * LINK_BYTES));
  }

  #addProfileAttributes(): void {
    const { columns } = this;
    const dictionary = this.#dictionary;
    const { strings, comments } = columns;
    this.labels.chain(columns.otlp?.firstAttribute ?? 0, this.#profileAttributes);
    for (const [key, row] of [
      [DROP_FRAMES, columns.dropFrames],
      [KEEP_FRAMES, columns.keepFrames],
      [DOC_URL, columns.docUrl],
    ] as const)
      if (strings.byteLength(row) > 0)
        this.#profileAttributes.push(dictionary.attribute(dictionary.string(key), writeAnyValue(strings.text(row)), 0));
    if (comments.length === 0) return;
    const texts = Array.from(comments.items.subarray(0, comments.length), row => strings.text(row));
    this.#profileAttributes.push(dictionary.attribute(dictionary.string(COMMENT), writeAnyValue(texts), 0));
  }

  #findTwins(): Uint8Array {
    const { count } = this.columns.samples;
    const identities = new Identities();
    const numbers = new Uint32Array(count);
    const times = new Rows();
    const sorted = this.#attributes.items.slice(0, this.#attributes.length);
    for (let sample = 0; sample < count; sample++) {
      const from = this.#attributesFrom(sample);
      const to = this.#attributeEnds[sample]!;
      ascending(sorted, from, to);
      const number = identities.numberOf(this.#stacks[sample]!, this.#links[sample]!, sorted, from, to);
      if (number === times.length) times.push(0);
      times.items[number]!++;
      numbers[sample] = number;
    }
    const twins = new Uint8Array(count);
    for (let sample = 0; sample < count; sample++) twins[sample] = times.items[numbers[sample]!]! > 1 ? 1 : 0;
    return twins;
  }

  #attributesFrom(sample: number): number {
    return sample === 0 ? 0 : this.#attributeEnds[sample - 1]!;
  }

  /** One Profile. @param isFirst of its scope: where samples are written that are zero in all types */
  write(writer: BackWriter, type: number, isFirst: boolean): void {
    const { columns } = this;
    const { otlp } = columns;
    const fields = otlp?.types[type];
    const before = writer.written;
    // Of edited samples it would say what they no longer say.
    const payload = columns.edited ? undefined : fields?.payload;
    const format = Buffer.from(payload || !columns.edited ? (fields?.payloadFormat ?? '') : '');
    const profileId = fields?.profileId;
    const attributes = this.#profileAttributes;
    writer.room(5 * attributes.length + (payload?.length ?? 0) + format.length + (profileId?.length ?? 0) + 128);
    const { bytes } = writer;
    let at = putPacked(bytes, writer.at, 0x5a, attributes);
    at = putView(bytes, at, 0x52, payload);
    at = putView(bytes, at, 0x4a, format.length > 0 ? format : undefined);
    at = putField(bytes, at, 0x40, otlp?.droppedAttributes ?? 0);
    at = putView(bytes, at, 0x3a, profileId);
    at = putBig(bytes, at, 0x30, columns.period);
    if (this.#periodType) at = putValueType(bytes, at, 0x2a, this.#periodType);
    at = putBig(bytes, at, 0x20, columns.durationNanos);
    writer.at = putTime(bytes, at, columns.timeNanos);
    this.#samples(writer, type, isFirst);
    writer.room(32);
    writer.at = putValueType(writer.bytes, writer.at, 0x0a, this.#types[type]!);
    writer.head(0x12, before);
  }

  #samples(writer: BackWriter, type: number, isFirst: boolean): void {
    const { samples, otlp } = this.columns;
    const observations = otlp?.observations;
    const { width } = samples;
    const { halves } = samples.values;
    for (let sample = samples.count - 1; sample >= 0; sample--) {
      const cell = sample * width + type;
      const kind = observations ? observations.kind[cell]! : PLAIN;
      const isZero = (halves[2 * cell]! | halves[2 * cell + 1]!) === 0;
      if (kind === PLAIN && isZero && !this.#writesZero(sample, isFirst)) continue;
      const from = this.#attributesFrom(sample);
      const to = this.#attributeEnds[sample]!;
      const before = writer.written;
      // Stages edit the sum: single values that add up to another one are void.
      if (kind > VALUE && this.#holds(cell)) this.#writeObservations(writer, cell, kind);
      else {
        writer.room(24);
        const end = writer.at;
        const at = putHalves(writer.bytes, end, halves[2 * cell]!, halves[2 * cell + 1]!);
        writer.at = putHead(writer.bytes, at, 0x22, end);
      }
      writer.room(5 * (to - from) + 32);
      const { bytes } = writer;
      let at = putField(bytes, writer.at, 0x18, this.#links[sample]!);
      at = putPacked(bytes, at, 0x12, this.#attributes, from, to);
      writer.at = putField(bytes, at, 0x08, this.#stacks[sample]!);
      writer.head(0x12, before);
    }
  }

  #writeObservations(writer: BackWriter, cell: number, kind: number): void {
    const { start, end, values, times } = this.columns.otlp!.observations!;
    const first = start[cell]!;
    const last = end[cell]!;
    writer.room(18 * (last - first) + 16);
    const { bytes } = writer;
    let at = writer.at;
    if (kind === TIMES || kind === BOTH) {
      for (let place = last - 1; place >= first; place--)
        at = putFixed64(bytes, at, times.halves[2 * place]!, times.halves[2 * place + 1]!);
      if (last > first) at = putHead(bytes, at, 0x2a, writer.at);
    }
    if (kind !== TIMES && last > first) {
      const behind = at;
      for (let place = last - 1; place >= first; place--)
        at = putHalves(bytes, at, values.halves[2 * place]!, values.halves[2 * place + 1]!);
      at = putHead(bytes, at, 0x22, behind);
    }
    writer.at = at;
  }

  /** Whether a sample that is zero is written all the same; never of OTLP, where a zero is one in so many words. */
  #writesZero(sample: number, isFirst: boolean): boolean {
    const { samples, otlp } = this.columns;
    if (otlp?.observations) return false;
    if (this.#twins && this.#twins[sample] === 1) return true;
    if (!isFirst) return false;
    const { halves } = samples.values;
    for (let at = 2 * sample * samples.width; at < 2 * (sample + 1) * samples.width; at++)
      if (halves[at] !== 0) return false;
    return true;
  }

  #holds(cell: number): boolean {
    const { samples, otlp, edited } = this.columns;
    if (!edited) return true;
    const { kind, start, end, values } = otlp!.observations!;
    const sum = this.#sum;
    const { halves } = samples.values;
    if (kind[cell] === TIMES) {
      sum[0] = end[cell]! - start[cell]!;
      sum[1] = 0;
    } else if (!addInt64s(values.halves, start[cell]!, end[cell]!, sum, 0)) return false;
    return sum[0] === halves[2 * cell] && sum[1] === halves[2 * cell + 1];
  }
}

function putFixed64(bytes: Uint8Array, end: number, lo: number, hi: number): number {
  const at = end - 8;
  for (let n = 0; n < 4; n++) {
    bytes[at + n] = lo >>> (8 * n);
    bytes[at + 4 + n] = hi >>> (8 * n);
  }
  return at;
}

/** time_unix_nano, left out when it is 0. */
function putTime(bytes: Uint8Array, end: number, nanos: bigint): number {
  if (nanos === 0n) return end;
  const at = putFixed64(bytes, end, Number(nanos & 0xffffffffn), Number((nanos >> 32n) & 0xffffffffn)) - 1;
  bytes[at] = 0x19;
  return at;
}

function putBig(bytes: Uint8Array, end: number, tag: number, value: bigint): number {
  return putField64(bytes, end, tag, Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
}

/** A bytes field, left out when undefined. */
function putView(bytes: Uint8Array, end: number, tag: number, content: Uint8Array | undefined): number {
  if (!content) return end;
  return putHead(bytes, putBytes(bytes, end, content, 0, content.length), tag, end);
}

function putValueType(bytes: Uint8Array, end: number, tag: number, rows: { type: number; unit: number }): number {
  const at = putField(bytes, end, 0x10, rows.unit);
  return putHead(bytes, putField(bytes, at, 0x08, rows.type), tag, end);
}
