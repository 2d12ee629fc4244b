// Writes JFR as its readers describe it, with whatever a test wants to be odd.

export interface MadeField {
  readonly name: string;
  /** Name of its type. */
  readonly type: string;
  readonly pool?: boolean;
  readonly array?: boolean;
}
export interface MadeType {
  readonly id: number;
  readonly name: string;
  readonly fields: readonly MadeField[];
}
export interface MadeChunk {
  readonly types?: readonly MadeType[];
  /** Each a checkpoint, in the order of the chain from the newest back: constants by name of the type. */
  readonly checkpoints?: readonly Readonly<Record<string, readonly (readonly [key: bigint, fields: Buffer])[]>>[];
  readonly events?: readonly (readonly [type: string | number, fields: Buffer])[];
  readonly compressed?: boolean;
  readonly version?: readonly [number, number];
  readonly startNanos?: bigint;
  readonly durationNanos?: bigint;
  readonly ticksPerSecond?: bigint;
  /** Whether checkpoints stand behind the events. */
  readonly late?: boolean;
}

const HEADER_BYTES = 68;
const OWN = ['boolean', 'byte', 'char', 'short', 'int', 'long', 'float', 'double', 'java.lang.String'];
const field = (name: string, type: string, more: Partial<MadeField> = {}): MadeField => ({ name, type, ...more });
const pool = { pool: true };

/** What recordings of async-profiler have. */
export const USUAL: readonly MadeType[] = [
  { id: 30, name: 'jdk.types.Symbol', fields: [field('string', 'java.lang.String')] },
  { id: 31, name: 'java.lang.Class', fields: [field('name', 'jdk.types.Symbol', pool), field('modifiers', 'int')] },
  {
    id: 32,
    name: 'jdk.types.Method',
    fields: [
      field('type', 'java.lang.Class', pool),
      field('name', 'jdk.types.Symbol', pool),
      field('descriptor', 'jdk.types.Symbol', pool),
    ],
  },
  {
    id: 33,
    name: 'jdk.types.StackFrame',
    fields: [field('method', 'jdk.types.Method', pool), field('lineNumber', 'int'), field('bytecodeIndex', 'int')],
  },
  {
    id: 34,
    name: 'jdk.types.StackTrace',
    fields: [field('truncated', 'boolean'), field('frames', 'jdk.types.StackFrame', { array: true })],
  },
  { id: 35, name: 'jdk.types.ThreadState', fields: [field('name', 'java.lang.String')] },
  {
    id: 100,
    name: 'jdk.ExecutionSample',
    fields: [
      field('startTime', 'long'),
      field('stackTrace', 'jdk.types.StackTrace', pool),
      field('state', 'jdk.types.ThreadState', pool),
      field('contextId', 'long'),
      field('spanId', 'long'),
      field('spanName', 'long'),
      field('traceIdHi', 'long'),
      field('traceIdLo', 'long'),
    ],
  },
  {
    id: 101,
    name: 'jdk.ActiveSetting',
    fields: [field('id', 'long'), field('name', 'java.lang.String'), field('value', 'java.lang.String')],
  },
  {
    id: 102,
    name: 'jdk.ThreadPark',
    fields: [field('duration', 'long'), field('stackTrace', 'jdk.types.StackTrace', pool)],
  },
  {
    id: 103,
    name: 'jdk.ObjectAllocationSample',
    fields: [field('stackTrace', 'jdk.types.StackTrace', pool), field('weight', 'long')],
  },
  { id: 104, name: 'profiler.LiveObject', fields: [field('stackTrace', 'jdk.types.StackTrace', pool)] },
  { id: 105, name: 'jdk.NativeMethodSample', fields: [field('stackTrace', 'jdk.types.StackTrace', pool)] },
  {
    id: 106,
    name: 'profiler.WallClockSample',
    fields: [
      field('stackTrace', 'jdk.types.StackTrace', pool),
      field('state', 'jdk.types.ThreadState', pool),
      field('samples', 'int'),
    ],
  },
];

/** Writes numbers and strings of a chunk. */
export class Coder {
  readonly compressed: boolean;

  constructor(compressed = true) {
    this.compressed = compressed;
  }

  #number(value: bigint | number, width: number): Buffer {
    let rest = BigInt.asUintN(64, BigInt(value));
    if (!this.compressed) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(rest);
      return bytes.subarray(8 - width);
    }
    const out: number[] = [];
    while (rest > 0x7fn && out.length < 8) {
      out.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return Buffer.from([...out, Number(rest)]);
  }

  int(value: bigint | number): Buffer {
    return this.#number(BigInt.asUintN(32, BigInt(value)), 4);
  }

  long(value: bigint | number): Buffer {
    return this.#number(value, 8);
  }

  char(value: number): Buffer {
    return this.#number(value, 2);
  }

  string(text: string, encoding: 0 | 1 | 3 | 4 | 5 = 3): Buffer {
    const head = Buffer.of(encoding);
    if (encoding < 2) return head;
    if (encoding === 4) {
      const units = [...Array(text.length).keys()].map(at => this.char(text.charCodeAt(at)));
      return Buffer.concat([head, this.int(units.length), ...units]);
    }
    const bytes = Buffer.from(text, encoding === 5 ? 'latin1' : 'utf8');
    return Buffer.concat([head, this.int(bytes.length), bytes]);
  }

  /** A key of the pool of strings. */
  stringKey(key: bigint): Buffer {
    return Buffer.concat([Buffer.of(2), this.long(key)]);
  }

  /** A stack of frames: key of the method and line. */
  stack(frames: readonly (readonly [method: bigint, line: number])[], truncated = false): Buffer {
    return Buffer.concat([
      Buffer.of(truncated ? 1 : 0),
      this.int(frames.length),
      ...frames.flatMap(([method, line]) => [this.long(method), this.int(line), this.int(7)]),
    ]);
  }

  longs(...values: (bigint | number)[]): Buffer {
    return Buffer.concat(values.map(value => this.long(value)));
  }

  /** Size first, which counts itself. */
  event(type: number, fields: Buffer): Buffer {
    const body = Buffer.concat([this.long(type), fields]);
    let head = this.int(body.length);
    for (let last = -1; head.length !== last; ) {
      last = head.length;
      head = this.int(body.length + last);
    }
    return Buffer.concat([head, body]);
  }
}

export function jfr(...chunks: MadeChunk[]): Buffer {
  return Buffer.concat(chunks.map(chunk));
}

function chunk(made: MadeChunk): Buffer {
  const { types = USUAL, checkpoints = [], events = [], compressed = true, version = [2, 1] } = made;
  const coder = new Coder(compressed);
  const ids = new Map<string, number>(OWN.map((name, at) => [name, 10 + at]));
  for (const { id, name } of types) ids.set(name, id);
  const idOf = (type: string | number) => (typeof type === 'number' ? type : ids.get(type)!);
  const eventBytes = Buffer.concat(events.map(([type, fields]) => coder.event(idOf(type), fields)));
  const metadata = metadataEvent(coder, types, ids);
  // Each is written behind the next of the chain, so that deltas are negative, as the JDK has them.
  let at = HEADER_BYTES + (made.late ? eventBytes.length : 0);
  let previous = 0;
  const pools: Buffer[] = [];
  for (const checkpoint of [...checkpoints].reverse()) {
    const constants = Object.entries(checkpoint).flatMap(([type, entries]) => [
      coder.long(idOf(type)),
      coder.int(entries.length),
      ...entries.flatMap(([key, fields]) => [coder.long(key), fields]),
    ]);
    const delta = previous === 0 ? 0 : previous - at;
    const head = [coder.longs(1, 1, delta), Buffer.of(0), coder.int(Object.keys(checkpoint).length)];
    const bytes = coder.event(1, Buffer.concat([...head, ...constants]));
    previous = at;
    at += bytes.length;
    pools.push(bytes);
  }
  const rest = made.late ? [eventBytes, ...pools] : [...pools, eventBytes];
  const size = HEADER_BYTES + rest.reduce((sum, { length }) => sum + length, 0) + metadata.length;
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('FLR\0', 'latin1');
  header.writeUInt16BE(version[0], 4);
  header.writeUInt16BE(version[1], 6);
  const { startNanos = 1000n, durationNanos = 500n, ticksPerSecond = 1_000_000_000n } = made;
  const times = [startNanos, durationNanos, 0n, ticksPerSecond];
  [BigInt(size), BigInt(previous), BigInt(size - metadata.length), ...times].forEach((value, index) => {
    header.writeBigUInt64BE(BigInt.asUintN(64, value), 8 + 8 * index);
  });
  header[67] = compressed ? 1 : 0;
  return Buffer.concat([header, ...rest, metadata]);
}

function metadataEvent(coder: Coder, types: readonly MadeType[], ids: ReadonlyMap<string, number>): Buffer {
  const strings: string[] = [];
  const row = (text: string) => {
    if (!strings.includes(text)) strings.push(text);
    return coder.int(strings.indexOf(text));
  };
  const element = (name: string, attributes: Record<string, string>, children: readonly Buffer[]): Buffer =>
    Buffer.concat([
      row(name),
      coder.int(Object.keys(attributes).length),
      ...Object.entries(attributes).flatMap(([key, value]) => [row(key), row(value)]),
      coder.int(children.length),
      ...children,
    ]);
  const note = element('annotation', { class: '9' }, [element('deeper', {}, [])]);
  const own = OWN.map(name => ({ id: ids.get(name)!, name, fields: [] as MadeField[] }));
  const classes = [...own, ...types].map(({ id, name, fields }) =>
    element('class', { name, id: String(id) }, [
      element('setting', { name: 'enabled', class: '9' }, []),
      ...fields.map(one =>
        element(
          'field',
          {
            name: one.name,
            class: String(ids.get(one.type) ?? 9),
            ...(one.pool && { constantPool: 'true' }),
            ...(one.array && { dimension: '1' }),
          },
          [note],
        ),
      ),
    ]),
  );
  const tree = element('root', {}, [element('metadata', {}, classes), element('region', { locale: 'en' }, [])]);
  const table = strings.map(text => coder.string(text));
  return coder.event(0, Buffer.concat([coder.longs(1, 1, 1), coder.int(table.length), ...table, tree]));
}
