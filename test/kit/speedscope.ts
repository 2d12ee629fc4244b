// Speedscope files read in the plainest way, by JSON.parse and fractions, and what columns say in the same words.
import fc from 'fast-check';
import type { Columns } from '../../src/model/columns/columns.ts';

export interface PlainFrame {
  readonly name: string;
  readonly file: string;
  readonly line: bigint;
  readonly column: bigint;
}
export interface PlainStack {
  /** Root first. */
  readonly frames: readonly PlainFrame[];
  readonly values: readonly bigint[];
}

/** Samples of columns, inlined calls as frames of their own; what a file says of a location without function is its address. */
export function stacksOf({ strings, samples, locations, functions }: Columns): PlainStack[] {
  const { lines } = locations;
  const frame = (line: number, address: string): PlainFrame => {
    const fn = lines.function[line]!;
    return {
      name: fn === 0 ? address : strings.text(functions.name[fn]! || functions.systemName[fn]!),
      file: fn === 0 ? '' : strings.text(functions.file[fn]!),
      line: lines.line.at(line),
      column: lines.column.at(line),
    };
  };
  return Array.from({ length: samples.count }, (_none, sample) => ({
    frames: [...samples.stack.subarray(samples.stackStart[sample], samples.stackEnd[sample])]
      .flatMap(location => {
        const address = `0x${BigInt.asUintN(64, locations.address.at(location)).toString(16)}`;
        const from = locations.lineStart[location]!;
        const length = locations.lineEnd[location]! - from;
        if (length === 0) return [{ name: address, file: '', line: 0n, column: 0n }];
        return Array.from({ length }, (_line, at) => frame(from + at, address));
      })
      .reverse(),
    values: Array.from({ length: samples.width }, (_value, at) => samples.values.at(sample * samples.width + at)),
  }));
}

export const typesOf = ({ strings, sampleTypes }: Columns) =>
  sampleTypes.map(({ type, unit }) => [strings.text(type), strings.text(unit)]);

const DIGITS: Readonly<Record<string, number>> = { seconds: 9, milliseconds: 6, microseconds: 3 };
const POWER = 10n ** 400n;

/** A decimal text times a power of ten, as a fraction of `POWER`, rounded half to even. */
function whole(text: string, unit: string): bigint {
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e') as [string, string?];
  const [integer, fraction = ''] = mantissa.replace('-', '').split('.') as [string, string?];
  const shift = Number(exponent) + (DIGITS[unit] ?? 0) - fraction.length;
  const size = BigInt(integer + fraction);
  const scaled = shift >= 0 ? size * POWER * 10n ** BigInt(shift) : (size * POWER) / 10n ** BigInt(-shift);
  const floor = scaled / POWER;
  const twice = 2n * (scaled % POWER);
  const up = twice > POWER || (twice === POWER && floor % 2n === 1n);
  const rounded = up ? floor + 1n : floor;
  return mantissa.startsWith('-') ? -rounded : rounded;
}

type RawProfile =
  | { type: 'sampled'; name?: string; unit: string; samples: number[][]; weights: string[] }
  | { type: 'evented'; name?: string; unit: string; events: { type: 'O' | 'C'; at: string; frame: number }[] };
interface RawFile {
  shared: { frames: { name: string; file?: string; line?: string | null; col?: string | null }[] };
  profiles: RawProfile[];
}

/** The profiles of a sound file. Weights, times, lines and columns are put into strings first, so that JSON.parse keeps their digits. */
export function naive(text: string): { name: string; unit: string; stacks: PlainStack[] }[] {
  const quoted = text
    .replace(/"weights"\s*:\s*\[[^\]]*\]/g, list => list.replace(/[-+.0-9eE]+(?=\s*[,\]])/g, '"$&"'))
    .replace(/("(?:at|line|col)"\s*:\s*)([-+.0-9eE]+)/g, '$1"$2"');
  const file = JSON.parse(quoted) as RawFile;
  const plain = (frame: number): PlainFrame => {
    const { name, file: path, line, col } = file.shared.frames[frame]!;
    return { name, file: path ?? '', line: BigInt(line ?? 0), column: BigInt(col ?? 0) };
  };
  return file.profiles.map(profile => {
    const { name = '', unit } = profile;
    const weighted =
      profile.type === 'sampled'
        ? profile.samples.map((stack, at) => ({ stack, value: whole(profile.weights[at]!, unit) }))
        : timed(profile.events.map(event => ({ ...event, at: whole(event.at, unit) })));
    return { name, unit, stacks: weighted.map(({ stack, value }) => ({ frames: stack.map(plain), values: [value] })) };
  });
}

function timed(events: readonly { type: 'O' | 'C'; at: bigint; frame: number }[]) {
  const times = new Map<string, { stack: number[]; value: bigint }>();
  let stack: number[] = [];
  for (const [at, event] of events.entries()) {
    const passed = event.at - (events[at - 1]?.at ?? event.at);
    if (passed > 0n && stack.length > 0) {
      const before = times.get(stack.join())?.value ?? 0n;
      times.set(stack.join(), { stack, value: before + passed });
    }
    stack = event.type === 'O' ? [...stack, event.frame] : stack.slice(0, -1);
  }
  return [...times.values()];
}

/** A number of a file, as text. */
const decimal = fc.oneof(
  fc.nat(1000).map(String),
  fc.double({ min: 0, max: 1e8, noNaN: true }).map(String),
  fc.tuple(fc.nat(99), fc.stringMatching(/^[0-9]{1,18}$/)).map(([one, more]) => `${one}.${more}`),
  fc.tuple(fc.nat(99), fc.integer({ min: -20, max: 8 })).map(([one, power]) => `${one}.5e${power}`),
  fc.constantFrom('0', '-0', '0.0', '0.0000000005', '0.0000000015', '1e-300', '9223372036', '0.5', '1.5', '2.5'),
);
const unit = fc.constantFrom('none', 'nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes');
const name = fc.oneof(fc.constantFrom('main', '__proto__', 'constructor', '', 'é"\\\n'), fc.string({ maxLength: 6 }));
const wellFormed = name.filter(text => text.isWellFormed());
const frame = fc.record(
  {
    name: wellFormed,
    file: wellFormed,
    line: fc.option(fc.nat(9999)),
    col: fc.option(fc.integer()),
    other: fc.jsonValue(),
  },
  { requiredKeys: ['name'] },
);
const FRAMES = 6;
const stack = fc.array(fc.nat(FRAMES - 1), { maxLength: 7 });

/** A member and its text; members are shuffled. */
type Members = [string, string][];
const sampled = fc
  .tuple(fc.array(fc.tuple(stack, decimal), { maxLength: 6 }), unit, fc.option(wellFormed))
  .map(
    ([samples, one, title]): Members => [
      ['type', '"sampled"'],
      ['unit', JSON.stringify(one)],
      ...(title === null ? [] : ([['name', JSON.stringify(title)]] as Members)),
      ['startValue', '0'],
      ['endValue', '1.5'],
      ['samples', JSON.stringify(samples.map(([frames]) => frames))],
      ['weights', `[ ${samples.map(([, weight]) => weight).join(' , ')} ]`],
    ],
  );
/** Positive steps open this frame, others close one. */
const evented = fc
  .tuple(fc.array(fc.tuple(fc.integer({ min: -4, max: FRAMES - 1 }), fc.nat(300)), { maxLength: 30 }), unit)
  .map(([steps, one]): Members => {
    const open: number[] = [];
    const events: string[] = [];
    let at = -50;
    const event = (type: string, which: number) =>
      events.push(`{"at": ${at / 100}, "frame":${which},"type":"${type}","more":[{}]}`);
    for (const [step, passed] of steps) {
      at += passed;
      if (step >= 0) open.push(step);
      else if (open.length === 0) continue;
      event(step >= 0 ? 'O' : 'C', step >= 0 ? step : open.pop()!);
    }
    while (open.length > 0) event('C', open.pop()!);
    return [
      ['type', '"evented"'],
      ['unit', JSON.stringify(one)],
      ['startValue', '-1'],
      ['endValue', '7'],
      ['events', `[${events.join(',')}]`],
    ];
  });

const object = (members: readonly [string, string][]) =>
  `{${members.map(([key, text]) => ` ${JSON.stringify(key)}: ${text}`).join(',')} }`;
const shuffled = (members: Members) => fc.shuffledSubarray(members, { minLength: members.length }).map(object);

/** Sound files as other programs write them: any order of members, and members that the schema does not have. */
export const file: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(frame, { minLength: FRAMES, maxLength: FRAMES }),
    fc.array(fc.oneof(sampled, evented).chain(shuffled), { maxLength: 4 }),
    fc.jsonValue(),
  )
  .chain(([frames, profiles, other]) =>
    shuffled([
      ['$schema', '"https://www.speedscope.app/file-format-schema.json"'],
      ['shared', `{"frames": ${JSON.stringify(frames)}, "more": null}`],
      ['profiles', `[${profiles.join(', ')}]`],
      ['activeProfileIndex', 'null'],
      ['version', JSON.stringify(other)],
    ]),
  );
