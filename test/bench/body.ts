import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`syntax = "proto3";
message Profile { repeated ValueType sample_type = 1; repeated Sample sample = 2; repeated Location location = 4; repeated Function function = 5;
  repeated string string_table = 6; int64 time_nanos = 9; }
message ValueType { int64 type = 1; int64 unit = 2; }
message Sample { repeated uint64 location_id = 1; repeated int64 value = 2; }
message Location { uint64 id = 1; repeated Line line = 4; }
message Line { uint64 function_id = 1; int64 line = 2; }
message Function { uint64 id = 1; int64 name = 2; }`);

/** A gzipped pprof of about this many bytes, the same each time: names like real ones, stacks 20 deep. */
export function profileOfSize(gzipBytes: number): Buffer {
  let functions = Math.ceil(gzipBytes / 30);
  for (;;) {
    const bytes = gzipSync(build(functions), { level: 6 });
    if (Math.abs(bytes.length - gzipBytes) < gzipBytes * 0.02) return bytes;
    functions = Math.max(1, Math.round((functions * gzipBytes) / bytes.length));
  }
}

function build(functions: number): Uint8Array {
  const names = Array.from({ length: functions }, (_, n) => {
    const word = createHash('sha1').update(String(n)).digest('hex');
    return `example.com/shop/${word.slice(0, 6)}.(*Server).${word.slice(6, 20)}`;
  });
  const ids = names.map((_, n) => n + 1);
  const type = root.lookupType('Profile');
  return type
    .encode(
      type.fromObject({
        stringTable: ['', 'samples', 'count', 'cpu', 'nanoseconds', ...names],
        sampleType: [
          { type: 1, unit: 2 },
          { type: 3, unit: 4 },
        ],
        function: ids.map(id => ({ id, name: id + 4 })),
        location: ids.map(id => ({ id, line: [{ functionId: id, line: id % 997 }] })),
        sample: ids.map(id => ({
          locationId: Array.from({ length: 20 }, (_, depth) => ((id * 31 + depth * depth * 7) % functions) + 1),
          value: [(id % 13) + 1, ((id % 13) + 1) * 10_000_000],
        })),
        timeNanos: '1795000000000000000',
      }),
    )
    .finish();
}
