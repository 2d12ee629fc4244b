// Requests with fields cut, doubled, retyped, or given huge numbers and lengths; and what every reader of such has to hold to.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DecodeError } from '../../src/wire/decode-error.ts';
import { bytes, fieldsOf, text, varint } from './protobuf.ts';

interface Edit {
  /** Which field of each message to go into, from the outside; how deep is how many there are. */
  readonly path: readonly number[];
  readonly kind: 'cut' | 'double' | 'drop' | 'retype' | 'length' | 'number' | 'deep' | 'noise';
  readonly size: number;
}
const edit: fc.Arbitrary<Edit> = fc.record({
  path: fc.array(fc.nat(1000), { minLength: 1, maxLength: 7 }),
  kind: fc.constantFrom('cut', 'double', 'drop', 'retype', 'length', 'number', 'deep', 'noise'),
  size: fc.nat(300),
});
const HUGE = [0n, 1n, 127n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** Whether `fieldsOf`, which checks nothing, may walk over this: every field ends where it should. */
function isMessage(content: Uint8Array): boolean {
  let at = 0;
  const read = () => {
    let value = 0;
    for (let n = 0; n < 10 && at < content.length; n++) {
      const byte = content[at++]!;
      value += (byte & 0x7f) * 2 ** (7 * n);
      if (byte < 0x80) return value;
    }
    return -1;
  };
  while (at < content.length) {
    const tag = read();
    const type = tag % 8;
    if (tag < 8 || tag > 0xffffffff || type === 3 || type === 4 || type > 5) return false;
    const value = type === 0 || type === 2 ? read() : 0;
    if (value < 0) return false;
    at += type === 1 ? 8 : type === 5 ? 4 : type === 2 ? value : 0;
    if (at > content.length) return false;
  }
  return content.length > 0;
}

const field = (number: number, content: Buffer) =>
  Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(content.length)]), content]);

/** The message with the field that the path ends at changed; lengths around it fit again. */
function edited(message: Buffer, { path, kind, size }: Edit, depth = 0): Buffer {
  const fields = fieldsOf(message);
  if (fields.length === 0) return message;
  const at = path[depth]! % fields.length;
  const one = fields[at]!;
  const goesOn =
    depth + 1 < path.length && one.type === 2 && one.content.length < message.length && isMessage(one.content);
  const inner = goesOn && field(one.field, edited(one.content, { path, kind, size }, depth + 1));
  const changed = inner || Buffer.from(changedField(one, kind, size));
  return Buffer.concat(fields.map(({ raw }, index) => (index === at ? changed : raw)));
}

function changedField(
  { field, type, raw, content }: ReturnType<typeof fieldsOf>[number],
  kind: Edit['kind'],
  size: number,
) {
  switch (kind) {
    case 'cut':
      return raw.subarray(0, size % (raw.length + 1));
    case 'double':
      return [...raw, ...raw];
    case 'drop':
      return [];
    case 'retype':
      return [...varint(field * 8 + (size % 8)), ...raw.subarray(1)];
    case 'length':
      return [...varint(field * 8 + 2), ...varint(HUGE[size % HUGE.length]!), ...content];
    case 'number':
      return [...varint(field * 8 + (type === 2 ? 0 : type)), ...varint(HUGE[size % HUGE.length]!, size % 3)];
    case 'deep': {
      let deep = text(1, 'x');
      for (let level = 0; level < size % 100; level++) deep = bytes(level % 2 ? 5 : 1, deep);
      return bytes(field, deep);
    }
    case 'noise':
      return bytes(
        field,
        Array.from({ length: size }, (_, index) => (index * size * 37 + index) & 0xff),
      );
  }
}

/** Messages made of these, and now and then of nothing at all. */
export function mutated(sources: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map(one => Buffer.from(one)) },
    {
      weight: 6,
      arbitrary: fc
        .record({ at: fc.nat(sources.length - 1), edits: fc.array(edit, { minLength: 1, maxLength: 3 }) })
        .map(({ at, edits }) =>
          edits.reduce((raw, change) => (isMessage(raw) ? edited(raw, change) : raw), sources[at]!),
        ),
    },
  );
}

/** One input of at most 200 KiB; far above what any takes, far below what a stall would. */
const SLOW_MS = 2000;

/** Runs `read` over the inputs; half of them in shared memory, as in the gateway. Tells how many were read to the end. */
export function holds(
  input: fc.Arbitrary<Buffer>,
  settings: { readonly seed: number; readonly numRuns: number },
  read: (raw: Buffer) => void,
): number {
  let sound = 0;
  fc.assert(
    fc.property(input, fc.boolean(), (raw, shared) => {
      const body = shared ? Buffer.from(new SharedArrayBuffer(raw.length)) : raw;
      if (shared) raw.copy(body);
      const start = performance.now();
      try {
        read(body);
        sound++;
      } catch (error) {
        assert.ok(error instanceof DecodeError, `${error instanceof Error ? error.stack : error}`);
        assert.match(error.reason, /^[a-z][a-z0-9_]+$/);
        assert.ok(error.message.length < 200, 'the message does not echo the input');
      }
      assert.ok(performance.now() - start < SLOW_MS);
    }),
    settings,
  );
  return sound;
}
