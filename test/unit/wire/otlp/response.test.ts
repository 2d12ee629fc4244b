import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { DecodeError } from '../../../../src/wire/decode-error.ts';
import { MAX_ANSWER_TEXT_BYTES } from '../../../../src/wire/otlp/answer.ts';
import {
  exportResponse,
  type OtlpSignal,
  type PartialSuccess,
  readExportResponse,
  readRpcStatus,
  rpcStatus,
  type Wire,
} from '../../../../src/wire/otlp/response.ts';

const { root } = protobuf.parse(`syntax = "proto3";
  message Profiles { Partial partial_success = 1; message Partial { int64 rejected_profiles = 1; string error_message = 2; } }
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message BadRequest { repeated Violation field_violations = 1; message Violation { string field = 1; string description = 2; string reason = 3; } }
`);
const type = (name: string) => root.lookupType(name);
const objects = { longs: String, defaults: true } as const;
const text = fc.string({ unit: 'grapheme', maxLength: 50 });
const partials = fc.option(
  fc.record({ rejected: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), message: text }, { noNullPrototype: true }),
  { nil: undefined },
);
const signals: OtlpSignal[] = ['profiles', 'traces'];
const wires: Wire[] = ['protobuf', 'json'];
/** As a reader sees it: nothing rejected and nothing said is no partial success. */
const said = (partial: PartialSuccess | undefined) =>
  partial && (partial.rejected !== 0n || partial.message !== '') ? partial : undefined;
const refused = (reason: string) => (error: unknown) => error instanceof DecodeError && error.reason === reason;

test('an export response comes back as it was written', () => {
  fc.assert(
    fc.property(fc.constantFrom(...signals), fc.constantFrom(...wires), partials, (signal, wire, partial) => {
      assert.deepEqual(readExportResponse(signal, exportResponse(signal, partial, wire), wire), said(partial));
    }),
  );
});

test('protobufjs reads and writes the same export responses', () => {
  fc.assert(
    fc.property(partials, partial => {
      const theirs = type('Profiles').toObject(
        type('Profiles').decode(exportResponse('profiles', partial, 'protobuf')),
        objects,
      );
      assert.deepEqual(
        theirs.partialSuccess,
        partial ? { rejectedProfiles: String(partial.rejected), errorMessage: partial.message } : null,
      );
      const written = type('Profiles').encode(type('Profiles').fromObject(theirs)).finish();
      assert.deepEqual(readExportResponse('profiles', written, 'protobuf'), said(partial));
    }),
  );
});

test('the OpenTelemetry SDK reads the responses to traces', () => {
  const partial = { rejected: 3n, message: 'trace_id has 3 bytes' };
  const json = JsonTraceSerializer.deserializeResponse(exportResponse('traces', partial, 'json'));
  const proto = ProtobufTraceSerializer.deserializeResponse(exportResponse('traces', partial, 'protobuf'));
  assert.deepEqual(
    [json.partialSuccess?.errorMessage, proto.partialSuccess?.errorMessage],
    [partial.message, partial.message],
  );
  assert.deepEqual(
    [json, proto].map(one => Number(one.partialSuccess?.rejectedSpans)),
    [3, 3],
  );
  assert.equal(exportResponse('traces', undefined, 'protobuf').length, 0);
  assert.equal(Buffer.from(exportResponse('traces', undefined, 'json')).toString(), '{}');
});

test('what servers in the field answer is understood', () => {
  const read = (json: string) => readExportResponse('profiles', Buffer.from(json), 'json');
  assert.equal(read(''), undefined);
  assert.equal(read('{"partialSuccess":null}'), undefined);
  assert.equal(read('{"partialSuccess":{"rejectedProfiles":"-1"}}'), undefined);
  assert.deepEqual(read('{"partial_success":{"rejected_profiles":7,"other":[]}}'), { rejected: 7n, message: '' });
  assert.deepEqual(read('{"partialSuccess":{"errorMessage":"slow"}}'), { rejected: 0n, message: 'slow' });
  for (const bad of [
    '{',
    '[]',
    '1',
    '{"partialSuccess":[]}',
    '{"partialSuccess":{"rejectedProfiles":1.5}}',
    '['.repeat(1e6),
  ])
    assert.throws(() => read(bad), refused('bad_json'), bad.slice(0, 60));
  assert.throws(() => readExportResponse('traces', Buffer.from([0x0a, 9]), 'protobuf'), refused('bad_protobuf'));
  assert.throws(
    () => readExportResponse('traces', Buffer.from([10, 3, 18, 1, 0xff]), 'protobuf'),
    refused('bad_string'),
  );
});

const statuses = fc.record(
  {
    code: fc.integer({ min: 0, max: 16 }),
    message: text,
    retryAfterMs: fc.integer({ min: 0, max: 10 ** 9 }),
    badRequest: text,
  },
  { requiredKeys: ['code', 'message'], noNullPrototype: true },
);

test('a status comes back as it was written', () => {
  fc.assert(
    fc.property(statuses, fc.constantFrom(...wires), (status, wire) => {
      const read = readRpcStatus(rpcStatus(status, wire), wire);
      assert.ok(Math.abs((read.retryAfterMs ?? 0) - (status.retryAfterMs ?? 0)) < 1e-3);
      assert.deepEqual({ ...read, retryAfterMs: 0 }, { ...status, retryAfterMs: 0 });
    }),
  );
});

test('protobufjs reads and writes the same status', () => {
  fc.assert(
    fc.property(statuses, status => {
      const theirs = type('Status').toObject(type('Status').decode(rpcStatus(status, 'protobuf')), objects);
      const details = (theirs.details as { typeUrl: string; value: Buffer }[]).map(({ typeUrl, value }) => {
        const inner = type(typeUrl.split('.').at(-1)!);
        return [typeUrl.split('/')[0], inner.toObject(inner.decode(value), objects)];
      });
      const { retryAfterMs, badRequest } = status;
      const seconds = Math.floor((retryAfterMs ?? 0) / 1000);
      assert.deepEqual(details, [
        ...(retryAfterMs === undefined
          ? []
          : [
              [
                'type.googleapis.com',
                { retryDelay: { seconds: String(seconds), nanos: (retryAfterMs % 1000) * 1_000_000 } },
              ],
            ]),
        ...(badRequest === undefined
          ? []
          : [['type.googleapis.com', { fieldViolations: [{ field: '', description: badRequest, reason: '' }] }]]),
      ]);
      assert.equal(theirs.code, status.code);
      assert.equal(theirs.message, status.message);
      const written = type('Status').encode(type('Status').fromObject(theirs)).finish();
      assert.deepEqual(readRpcStatus(written, 'protobuf'), status);
    }),
  );
});

test('a status as JSON is what protojson writes', () => {
  const status = { code: 14, message: 'queue is full', retryAfterMs: 1500, badRequest: 'no' };
  const written = JSON.parse(Buffer.from(rpcStatus(status, 'json')).toString());
  assert.deepEqual(written, {
    code: 14,
    message: 'queue is full',
    details: [
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1.5s' },
      { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ description: 'no' }] },
    ],
  });
  const other = { code: 3, message: 'x', details: [{ '@type': 'type.googleapis.com/google.rpc.Help' }, null] };
  assert.deepEqual(readRpcStatus(Buffer.from(JSON.stringify(other)), 'json'), { code: 3, message: 'x' });
});

test('a long message is cut between characters, and the answer stays below 4 MiB', () => {
  for (const message of ['€'.repeat(2 ** 21), '\u0001'.repeat(2 ** 22), '\ud800'.repeat(2 ** 22)]) {
    for (const wire of wires) {
      const response = exportResponse('profiles', { rejected: 2n, message }, wire);
      const status = rpcStatus({ code: 3, message, badRequest: message }, wire);
      assert.ok(response.length < 2 ** 20 && status.length < 2 ** 20);
      const cut = readExportResponse('profiles', response, wire)!;
      assert.equal(cut.rejected, 2n);
      assert.ok(message.toWellFormed().startsWith(cut.message.slice(0, -1)) && cut.message.endsWith('…'));
      const bytes = Buffer.byteLength(cut.message);
      assert.ok(bytes <= MAX_ANSWER_TEXT_BYTES && bytes > MAX_ANSWER_TEXT_BYTES - 4);
      assert.equal(readRpcStatus(status, wire).badRequest, cut.message);
    }
  }
});
