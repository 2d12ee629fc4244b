// The stage against a model that works on lists of frames, on random profiles with inlined calls and without symbols.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Columns } from '../../../src/model/columns/columns.ts';
import { Config } from '../../../src/processors/frames/config.ts';
import factory from '../../../src/processors/frames/index.ts';
import frames from '../../../src/processors/frames/stage.ts';
import { decodePprof } from '../../../src/wire/pprof/decode.ts';
import { encodePprof } from '../../../src/wire/pprof/encode.ts';
import { made } from '../../kit/made.ts';
import { byProtobufjs } from '../../kit/oracles.ts';
import { type PlainProfile, plainOf, sumsOf } from '../../kit/plain.ts';
import { soundProfiles } from '../../kit/profiles.ts';
import { bytes, number, text } from '../../kit/protobuf.ts';

type Input = (typeof Config)['_zod']['input'];

/** What workers do: a cloned configuration, a run, and the encoding of what was edited. */
function run(columns: Columns, config: Input): Buffer {
  const verdict = frames(structuredClone(Config.parse(config)))({ attributes: new Map() }, columns);
  assert.equal(verdict.keep, true);
  return Buffer.from(encodePprof(columns));
}

interface Frame {
  readonly name: string;
  readonly systemName: string;
  readonly file: string;
  readonly mapping: string;
}

/** Stacks as lists of frames, leaf first. */
function stacksOf(plain: PlainProfile): Frame[][] {
  const locations = new Map(plain.locations.map(location => [location.id, location]));
  const functions = new Map(plain.functions.map(fn => [fn.id, fn]));
  const mappings = new Map(plain.mappings.map(mapping => [mapping.id, mapping.file]));
  return plain.samples.map(sample =>
    sample.locations.flatMap(id => {
      const { lines, mapping } = locations.get(id)!;
      const at = { mapping: mappings.get(mapping) ?? '' };
      if (lines.length === 0) return [{ name: '', systemName: '', file: '', ...at }];
      return lines.map(line => {
        const { name, systemName, file } = functions.get(line.function) ?? { name: '', systemName: '', file: '' };
        return { name, systemName, file, ...at };
      });
    }),
  );
}

const digest = (value: string) => (value === '' ? '' : createHash('sha256').update(value).digest('hex').slice(0, 16));

function model(stacks: readonly Frame[][], { rules, other = 'other' }: Input): Frame[][] {
  const made = (name: string, mapping = ''): Frame => ({ name, systemName: '', file: '', mapping });
  let now = stacks.map(stack => [...stack]);
  for (const { action, match, field = 'function', replacement, name, hash } of rules) {
    const regex = new RegExp(match, 'u');
    const is = (frame: Frame) => {
      if (field !== 'function') return regex.test(frame[field]);
      const either = action === 'redact' && frame.name !== '' && frame.systemName !== '';
      return regex.test(frame.name || frame.systemName) || (either && regex.test(frame.systemName));
    };
    const write = hash ? digest : (value: string) => (value === '' ? '' : (name ?? 'redacted'));
    // As in the profile: '' stays '', which is what frames without symbols have.
    const rename = (value: string) => (value === '' ? '' : value.replace(new RegExp(match, 'gu'), replacement!));
    now = now.map(stack => {
      if (action === 'drop') {
        const kept = stack.filter(frame => !is(frame));
        return kept.length === 0 && stack.length > 0 ? [made(other)] : kept;
      }
      if (action === 'collapse') {
        const runs = stack.map(is);
        return stack.flatMap((frame, at) => (!runs[at] ? [frame] : at > 0 && runs[at - 1] ? [] : [made(name!, ANY)]));
      }
      return stack.map(frame => {
        if (!is(frame)) return frame;
        if (action === 'redact')
          return field === 'mapping'
            ? { ...frame, mapping: write(frame.mapping) }
            : { ...frame, name: write(frame.name), systemName: write(frame.systemName), file: write(frame.file) };
        if (field !== 'function') return { ...frame, [field]: rename(frame[field]) };
        const same = frame.systemName === (frame.name || frame.systemName);
        return { ...frame, name: rename(frame.name), systemName: same ? rename(frame.systemName) : frame.systemName };
      });
    });
  }
  return now;
}

/** The mapping of a frame that stands for a run: that of the location in which the run begins, where that has other frames. */
const ANY = 'any';

/** Patterns that RE2 and JavaScript agree on. */
const match = fc.constantFrom('^main$', 'x', 'cpu|main', '^$', '.', 'é', '^c', 'nothing here');
const field = fc.constantFrom('function', 'file', 'mapping');
const rule: fc.Arbitrary<Input['rules'][number]> = fc.oneof(
  fc.record({ action: fc.constant('drop' as const), match, field }),
  fc.record({ action: fc.constant('rename' as const), match, field, replacement: fc.constantFrom('new', '', '[$0]') }),
  fc.record({ action: fc.constant('redact' as const), match, field }),
  fc.record({ action: fc.constant('redact' as const), match, field, name: fc.constant('hidden') }),
  fc.record({ action: fc.constant('redact' as const), match, field, hash: fc.constant(true) }),
  fc.record({ action: fc.constant('collapse' as const), match, field, name: fc.constantFrom('run', 'main') }),
);
/** Mappings are looked at first, and runs of them made last and once, since the model does not know the mapping of a run. */
const rank = ({ field: one, action }: Input['rules'][number]) =>
  one !== 'mapping' ? 2 : action === 'collapse' ? 1 : 0;
const config: fc.Arbitrary<Input> = fc.record({
  rules: fc
    .array(rule, { minLength: 1, maxLength: 4 })
    .filter(list => list.filter(one => rank(one) === 1).length < 2)
    .map(list => list.sort((a, b) => rank(a) - rank(b))),
});
/** What $0 is in JavaScript. */
const inJavaScript = (one: Input): Input => ({
  ...one,
  rules: one.rules.map(each => ({
    ...each,
    ...(each.replacement && { replacement: each.replacement.replace('$0', '$$&') }),
  })),
});

test('random profiles get the stacks that the model says, and keep values and labels', () => {
  let edited = 0;
  fc.assert(
    fc.property(made, config, ({ raw, plain }, one) => {
      const columns = decodePprof(raw);
      const written = run(columns, one);
      const after = plainOf(decodePprof(written));
      assert.deepEqual(after, byProtobufjs(written));
      const due = model(stacksOf(plain), inJavaScript(one));
      const stacks = stacksOf(after).map((stack, sample) =>
        stack.map((frame, at) => (due[sample]?.[at]?.mapping === ANY ? { ...frame, mapping: ANY } : frame)),
      );
      assert.deepEqual(stacks, due);
      const rest = ({ samples }: PlainProfile) => samples.map(({ values, labels }) => ({ values, labels }));
      assert.deepEqual(rest(after), rest(plain));
      assert.deepEqual(sumsOf(after), sumsOf(plain));
      if (columns.edited) edited++;
      else assert.deepEqual(due, stacksOf(plain), 'not edited means nothing changed');
    }),
    { numRuns: 1000 },
  );
  assert.ok(edited > 200, `${edited} edited`);
});

test('real profiles keep their sums, and what was redacted or dropped is nowhere in the bytes', () => {
  const pattern = '^(runtime|java|std|_?_?libc|net|Illuminate)\\b';
  let found = 0;
  for (const { file, raw } of soundProfiles()) {
    if (raw.length > 100_000) continue;
    const before = plainOf(decodePprof(raw));
    const names = new Set(
      before.functions.filter(({ name }) => new RegExp(pattern).test(name)).flatMap(fn => [fn.name, fn.systemName]),
    );
    found += names.size;
    for (const action of ['redact', 'drop', 'collapse'] as const) {
      const one = { action, match: pattern, ...(action === 'collapse' && { name: 'run of many' }) };
      const written = run(decodePprof(raw), { rules: [one] });
      const after = byProtobufjs(written);
      assert.deepEqual(sumsOf(after), sumsOf(before), `${file} ${action}`);
      for (const [at, { values }] of after.samples.entries()) assert.deepEqual(values, before.samples[at]!.values);
      // A label may say the same word, and is not this stage's.
      const labels = new Set(after.samples.flatMap(sample => sample.labels.map(label => label.text)));
      const left = after.strings.filter(one => names.has(one) && one !== '' && !labels.has(one));
      assert.deepEqual(left, [], `${file} ${action}`);
    }
  }
  assert.ok(found > 50, `${found} names`);
});

const fn = (id: number, name: number, file: number) =>
  bytes(5, [...number(1, id), ...number(2, name), ...number(3, name), ...number(4, file)]);
const location = (id: number, ...lines: number[]) =>
  bytes(4, [...number(1, id), ...lines.flatMap(line => bytes(4, [...number(1, line), ...number(2, 10 + line)]))]);
const stack = (...ids: number[]) => bytes(2, [...bytes(1, ids), ...bytes(2, [9])]);
const table = ['', 'cpu', 'ns', 'app', 'secret.pay', 'secret.charge', '/home/secret/pay.go', '/src/app.go'];
const profile = (...fields: number[][]) =>
  decodePprof(
    Uint8Array.from([
      ...bytes(1, [...number(1, 1), ...number(2, 2)]),
      ...[fn(1, 3, 7), fn(2, 4, 6), fn(3, 5, 6), ...fields].flat(),
      ...table.flatMap(one => text(6, one)),
    ]),
  );
const namesOf = (written: Buffer) => stacksOf(plainOf(decodePprof(written))).map(list => list.map(({ name }) => name));

test('runs are collapsed across inlined calls and locations, and the lines that stay keep their numbers', () => {
  const columns = profile(
    stack(1, 2, 3),
    stack(3, 2, 1),
    stack(2, 2),
    stack(4, 3),
    location(1, 1, 2),
    location(2, 3),
    location(3, 2, 1, 3),
    location(4, 2, 3),
  );
  const written = run(columns, { rules: [{ action: 'collapse', match: '^secret', name: 'hidden' }] });
  assert.deepEqual(namesOf(written), [
    ['app', 'hidden', 'app', 'hidden'],
    ['hidden', 'app', 'hidden', 'app', 'hidden'],
    ['hidden'],
    ['hidden', 'app', 'hidden'],
  ]);
  assert.ok(!written.includes('secret'));
  const { locations } = plainOf(decodePprof(written));
  assert.deepEqual(new Set(locations.flatMap(one => one.lines.map(({ line }) => line))), new Set([11n, 0n]));
});

test('a stack whose frames all go keeps its value under another name, and an empty one stays empty', () => {
  const columns = profile(stack(1), stack(1, 2), stack(), location(1, 2, 3), location(2, 1));
  const written = run(columns, { rules: [{ action: 'drop', match: '^secret' }], other: 'rest' });
  assert.deepEqual(namesOf(written), [['rest'], ['app'], []]);
  assert.ok(!written.includes('secret'));
  assert.deepEqual(sumsOf(plainOf(decodePprof(written))), [27n]);
});

test('redact hides name, system name and file, in functions that no stack names too', () => {
  for (const hash of [undefined, true]) {
    const columns = profile(stack(1), location(1, 1));
    const written = run(columns, {
      rules: [{ action: 'redact', match: '^/home/', field: 'file', ...(hash && { hash }) }],
    });
    assert.ok(!written.includes('secret'));
    assert.deepEqual(namesOf(written), [['app']]);
  }
  const hashed = namesOf(
    run(profile(stack(1), location(1, 2, 3)), { rules: [{ action: 'redact', match: 'secret', hash: true }] }),
  );
  assert.deepEqual(hashed, [[digest('secret.pay'), digest('secret.charge')]]);
});

const SECRET = 'corp.secret/pay';
const FOREIGN = text(19, SECRET);
/** Rows: 1 and 2 of the sample type, 3 the secret, 4 and 5 harmless. */
const secretive = (...fields: number[][]) =>
  Uint8Array.from([
    ...bytes(1, [...number(1, 1), ...number(2, 2)]),
    ...stack(1),
    ...fields.flat(),
    ...['', 'cpu', 'ns', SECRET, 'ok', 'redacted'].flatMap(one => text(6, one)),
  ]);
const place = (unknown: number[] = [], lineUnknown: number[] = []) =>
  bytes(4, [
    ...number(1, 1),
    ...number(2, 1),
    ...bytes(4, [...number(1, 1), ...number(2, 7), ...lineUnknown]),
    ...unknown,
  ]);
const named = (name: number, systemName: number, unknown: number[] = []) =>
  bytes(5, [...number(1, 1), ...number(2, name), ...number(3, systemName), ...unknown]);
const binary = (file = 4, unknown: number[] = []) => bytes(3, [...number(1, 1), ...number(5, file), ...unknown]);
/** What leaves the gateway: the bytes as they came where nothing was edited. */
function left(raw: Uint8Array, rules: Input['rules']): Buffer {
  const columns = decodePprof(raw);
  const written = run(columns, { rules });
  return columns.edited ? written : Buffer.from(raw);
}
const HIDING = [{ action: 'redact', match: 'secret' }] as const;

const hidden: Record<string, Uint8Array> = {
  'system name where the name is another': secretive(binary(), place(), named(4, 3)),
  'system name where there is no name': secretive(binary(), place(), named(0, 3)),
  'unknown field of the line': secretive(binary(), place([], FOREIGN), named(3, 3)),
  'unknown field of the location': secretive(binary(), place(FOREIGN), named(3, 3)),
  'unknown field of the function': secretive(binary(), place(), named(3, 3, FOREIGN)),
  'function that no stack leads to, beside a field that nobody knows': secretive(
    [...text(100, 'foreign')],
    binary(),
    place(),
    named(4, 4),
    bytes(5, [...number(1, 2), ...number(2, 3)]),
  ),
  'string that nothing names': secretive(binary(), place(), named(4, 4)),
  'string that nothing names, beside a field that nobody knows': secretive(
    [...text(100, 'foreign')],
    binary(),
    place(),
    named(4, 4),
  ),
  'field that comes twice': secretive(binary(), place(), bytes(5, [...number(1, 1), ...number(2, 3), ...number(2, 4)])),
  comment: secretive(binary(), place(), named(3, 3), number(13, 3)),
  'comment alone': secretive(binary(), place(), named(4, 4), bytes(13, [4, 3])),
  'patterns of frames and address of a document': secretive(
    binary(),
    place(),
    named(4, 4),
    number(7, 3),
    number(8, 3),
    number(15, 3),
  ),
};
for (const [where, raw] of Object.entries(hidden))
  test(`redact leaves the text nowhere: ${where}`, () => {
    for (const how of [{}, { hash: true }]) {
      const written = left(raw, [{ ...HIDING[0], ...how }]);
      assert.ok(!written.includes('secret'), written.toString('latin1'));
      assert.deepEqual(sumsOf(byProtobufjs(written)), [9n]);
    }
  });

test('redact leaves the text nowhere: fields that nobody knows, of what has its new name already', () => {
  // The string of the table matches too, so that only the fields are left to count.
  const both = { action: 'redact', match: '^(redacted|corp)' } as const;
  const functions = secretive(binary(), place(FOREIGN, FOREIGN), named(5, 5, FOREIGN));
  assert.ok(!left(functions, [both]).includes('secret'));
  const mappings = secretive(binary(5, FOREIGN), place(FOREIGN, FOREIGN), named(4, 4));
  assert.ok(!left(mappings, [{ ...both, field: 'mapping' }]).includes('secret'));
  // And where nothing else is edited.
  const own = Uint8Array.from([
    ...bytes(1, [...number(1, 1), ...number(2, 2)]),
    ...stack(1),
    ...place(FOREIGN, FOREIGN),
    ...binary(4, FOREIGN),
    ...named(3, 3, FOREIGN),
    ...['', 'cpu', 'ns', 'redacted', 'redacted'].flatMap(one => text(6, one)),
  ]);
  const written = left(own, [
    { action: 'redact', match: '^redacted$' },
    { action: 'redact', match: '^redacted$', field: 'mapping' },
  ]);
  assert.ok(!written.includes('secret'));
});

test('redact leaves alone what does not match: the bytes pass, with their unnamed strings and unknown fields', () => {
  const raw = secretive(binary(), place(FOREIGN, FOREIGN), named(4, 4, FOREIGN), number(13, 4));
  const columns = decodePprof(raw);
  run(columns, { rules: [{ action: 'redact', match: 'nothing here' }] });
  assert.equal(columns.edited, false);
});

test('more unnamed strings than are worth a look go unseen', () => {
  const many = Array.from({ length: 10_100 }, (_, at) => text(6, `unnamed ${at} `));
  const raw = Uint8Array.from([
    ...secretive(binary(), place(), named(4, 4)),
    ...many.flat(),
    ...text(6, 'corp.secret'),
  ]);
  assert.ok(!left(raw, [...HIDING]).includes('secret'));
  const columns = decodePprof(raw);
  run(columns, { rules: [{ action: 'drop', match: 'secret' }] });
  assert.equal(columns.edited, false, 'only redact looks at them');
});

test('drop, rename and collapse go by the name that is shown: the system name where there is no other', () => {
  const rules = (match: string): Input['rules'][] => [
    [{ action: 'drop', match }],
    [{ action: 'rename', match, replacement: 'x' }],
    [{ action: 'collapse', match, name: 'x' }],
  ];
  for (const one of rules('^corp')) {
    assert.ok(!left(secretive(binary(), place(), named(0, 3)), one).includes('corp'));
    assert.ok(left(secretive(binary(), place(), named(4, 3)), one).includes('corp'));
  }
  // A frame that has a system name is not one without a name.
  for (const one of rules('^$')) {
    const columns = decodePprof(secretive(binary(), place(), named(0, 3)));
    run(columns, { rules: one });
    assert.equal(columns.edited, false);
  }
});

test('a name that is not UTF-8 is no obstacle', () => {
  const columns = profile(stack(1), location(1, 1, 2));
  columns.functions.name[1] = columns.strings.append(Uint8Array.of(0xff, 0x61, 0xc3));
  columns.edited = true;
  for (const rules of [
    [{ action: 'drop', match: '^b' }],
    [{ action: 'rename', match: 'a', replacement: 'b' }],
    [{ action: 'redact', match: '.', hash: true }],
    [{ action: 'collapse', match: '.', name: 'all' }],
  ] as const)
    run(columns, { rules: [...rules] });
});

test('to redact is to hide, so that no form passes that holds more', () => {
  const of = (action: string) =>
    factory.hides?.(
      Config.parse({
        rules: [
          { action: 'drop', match: 'a' },
          {
            action,
            match: 'a',
            ...(action === 'collapse' && { name: 'x' }),
            ...(action === 'rename' && { replacement: '' }),
          },
        ],
      }),
    );
  assert.deepEqual(
    ['drop', 'rename', 'collapse', 'redact'].map(action => of(action)),
    [false, false, false, true],
  );
});

test('mistakes in the configuration are said in sentences', () => {
  const messages = (one: unknown) =>
    Config.safeParse({ rules: [one] }).error!.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const match = 'a(b)';
  assert.deepEqual(messages({ action: 'rename', match }), ['rules.0.replacement: rename needs a replacement']);
  assert.deepEqual(messages({ action: 'collapse', match }), ['rules.0.name: collapse needs the name of the new frame']);
  assert.deepEqual(messages({ action: 'drop', match, name: 'x' }), ['rules.0.name: drop takes no name']);
  assert.deepEqual(messages({ action: 'drop', match, hash: true }), ['rules.0.hash: drop takes no hash']);
  assert.deepEqual(messages({ action: 'redact', match, hash: true, name: 'x' }), [
    'rules.0.name: give either name or hash',
  ]);
  assert.match(
    messages({ action: 'drop', match: '[' })[0]!,
    /^rules\.0\.match: "\[" is not a regular expression of RE2/,
  );
  assert.match(
    messages({ action: 'rename', match, replacement: '$2' })[0]!,
    /^rules\.0\.replacement: .*names the group 2/,
  );
});
