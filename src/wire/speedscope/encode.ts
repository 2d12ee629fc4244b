import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { JsonText } from './json-text.ts';
import { EXPORTER, OWN_MEMBER, SCHEMA, UNITS } from './units.ts';
import { FrameList, LocationFrames } from './written-frames.ts';
import { countUnwritten } from './written-losses.ts';

const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const ZERO = 0x30;
/** What a low half counts up to. */
const HALF = 2 ** 32;

export interface SpeedscopeSource {
  /** Stands in the file's name and, where it has more than one source, in that of each profile: service and `__name__`, say. */
  readonly name: string;
  readonly columns: Columns;
}

/**
 * Profiles as one speedscope file (`file-format-schema.json` of speedscope 1.25). Each sample type is a sampled profile of all samples in their
 * order, those of value 0 too; a unit that the schema does not have is `none` and stands in the name: `cpu`, `alloc_objects (count)`.
 * `decodeSpeedscope` reads types, units, values, stacks and frames back as they were, for values are written in full, beyond what a double
 * holds. A negative value, which speedscope refuses, is 0.
 * @returns a view on memory that nobody else has
 * @throws DecodeError too_large
 */
export function encodeSpeedscope(sources: readonly SpeedscopeSource[], losses?: Losses): Uint8Array {
  const out = new JsonText();
  const frames = new FrameList();
  out.text(`{"$schema":${JSON.stringify(SCHEMA)},"exporter":${JSON.stringify(EXPORTER)}`);
  out.text(`,"name":${JSON.stringify(fileName(sources))},"activeProfileIndex":${firstShown(sources)},"profiles":[`);
  let separator = '';
  for (const [number, source] of sources.entries()) {
    if (source.columns.sampleTypes.length === 0) {
      losses?.add('speedscope_no_type', source.columns.samples.count);
      continue;
    }
    out.text(separator);
    separator = ',';
    new SourceWriter(out, frames, source, number, sources.length > 1).write(losses);
  }
  out.text('],"shared":{"frames":[');
  frames.write(out);
  out.text(']}}\n');
  return out.written();
}

function fileName(sources: readonly SpeedscopeSource[]): string {
  const name = sources[0]?.name ?? '';
  return sources.length > 1 ? `${name} and ${sources.length - 1} more` : name;
}

/** The default sample type of the first profile, since a type of its own is shown at a time. */
function firstShown(sources: readonly SpeedscopeSource[]): number {
  const columns = sources[0]?.columns;
  if (!columns || columns.defaultSampleType === 0) return 0;
  const at = columns.sampleTypes.findIndex(({ type }) => columns.strings.same(type, columns.defaultSampleType));
  return Math.max(0, at);
}

class SourceWriter {
  readonly #out: JsonText;
  readonly #columns: Columns;
  readonly #name: string;
  readonly #number: number;
  readonly #isOneOfMany: boolean;
  readonly #locations: LocationFrames;

  constructor(out: JsonText, frames: FrameList, source: SpeedscopeSource, number: number, isOneOfMany: boolean) {
    this.#out = out;
    this.#columns = source.columns;
    this.#name = source.name;
    this.#number = number;
    this.#isOneOfMany = isOneOfMany;
    this.#locations = new LocationFrames(source.columns, frames);
  }

  write(losses: Losses | undefined): void {
    const out = this.#out;
    const { sampleTypes } = this.#columns;
    let from = 0;
    let to = 0;
    for (let type = 0; type < sampleTypes.length; type++) {
      if (type > 0) out.byte(COMMA);
      this.#head(type);
      // Stacks are the same for every type: the bytes of the first do for all.
      if (type === 0) {
        from = out.length;
        this.#samples();
        to = out.length;
      } else out.again(from, to);
      this.#weights(type);
    }
    if (losses) countUnwritten(this.#columns, this.#locations, losses);
  }

  #head(type: number): void {
    const { strings, sampleTypes } = this.#columns;
    const own = {
      source: this.#number,
      name: this.#name,
      type: strings.text(sampleTypes[type]!.type),
      unit: strings.text(sampleTypes[type]!.unit),
    };
    const unit = UNITS.has(own.unit) ? own.unit : 'none';
    const title = own.unit === '' || unit === own.unit ? own.type : `${own.type} (${own.unit})`;
    const name = this.#isOneOfMany && own.name !== '' ? `${own.name} ${title}` : title;
    const head = { type: 'sampled', name, unit, [OWN_MEMBER]: own, startValue: 0 };
    this.#out.text(`${JSON.stringify(head).slice(0, -1)},"endValue":${this.#sum(type)},`);
  }

  #samples(): void {
    const out = this.#out;
    const { from, count } = this.#columns.samples;
    out.text('"samples":[');
    for (let sample = from; sample < count; sample++) {
      if (sample > from) out.byte(COMMA);
      out.byte(OPEN);
      this.#locations.stack(out, sample);
      out.byte(CLOSE);
    }
    out.byte(CLOSE);
  }

  #weights(type: number): void {
    const out = this.#out;
    const { from, count, width, values } = this.#columns.samples;
    const { halves } = values;
    out.text(',"weights":[');
    for (let sample = from; sample < count; sample++) {
      if (sample > from) out.byte(COMMA);
      const at = sample * width + type;
      const hi = halves[2 * at + 1]! | 0;
      if (hi === 0) out.number(halves[2 * at]!);
      else if (hi < 0) out.byte(ZERO);
      else out.text(String(values.at(at)));
    }
    out.text(']}');
  }

  /** Of all weights; may be beyond 64 bits. */
  #sum(type: number): bigint {
    const { from, count, width, values } = this.#columns.samples;
    const { halves } = values;
    let lo = 0;
    let hi = 0;
    for (let sample = from; sample < count; sample++) {
      const at = 2 * (sample * width + type);
      if ((halves[at + 1]! | 0) < 0) continue;
      lo += halves[at]!;
      hi += halves[at + 1]!;
      if (lo < HALF) continue;
      lo -= HALF;
      hi++;
    }
    return (BigInt(hi) << 32n) + BigInt(lo);
  }
}
