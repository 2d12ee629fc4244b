// npm run bench:otlp-codec: what is done to OTLP bytes, on one thread, beside protobufjs and a copy. µs of CPU per call.
import type { Attributes, Plain } from '../../src/model/attributes.ts';
import { toOtlp } from '../../src/wire/convert/to-otlp.ts';
import { toPprof } from '../../src/wire/convert/to-pprof.ts';
import { decodeOtlp, partsOf } from '../../src/wire/otlp/decode.ts';
import { encodeOtlp } from '../../src/wire/otlp/encode.ts';
import { examineOtlp } from '../../src/wire/otlp/examine.ts';
import { fromJson } from '../../src/wire/otlp/json-read.ts';
import { toJson } from '../../src/wire/otlp/json-write.ts';
import { mergeOtlp } from '../../src/wire/otlp/merge.ts';
import { skeletonOf } from '../../src/wire/otlp/skeleton.ts';
import { spliced } from '../../src/wire/otlp/splice.ts';
import { wireVersionOf } from '../../src/wire/otlp/version.ts';
import { CURRENT, capture, noCorpus } from '../kit/otlp.ts';
import { requestByProtobufjs } from '../kit/otlp-schema.ts';
import { measure } from './measure.ts';
import { otlpOfSize } from './otlp-body.ts';

/** Time for one measurement, ms. */
const MS = Number(process.env.CODEC_MS ?? 150);
const EMPTY: Attributes = new Map();

/** Work on one request, in the order of the columns. */
function works(raw: Uint8Array): Record<string, () => void> {
  const decoded = Array.from({ length: partsOf(raw) }, (_none, part) => ({
    attributes: skeletonOf(raw).parts[part]!.attributes,
    columns: decodeOtlp(raw, part),
  }));
  const pprofs = decoded.flatMap((_part, at) => toPprof('otlp', raw, { part: at }).profiles);
  const sources = pprofs.map(raw => ({ attributes: EMPTY, form: 'pprof' as const, raw, about: { receivedMs: 0 } }));
  const proto = requestByProtobufjs.decode(raw);
  const json = Buffer.concat(toJson(raw, 'profiles'));
  return {
    copy: () => Buffer.from(raw),
    splice: () => {
      const skeleton = skeletonOf(raw);
      const parts = skeleton.parts.map(({ attributes }, part) => {
        const edited = new Map<string, Plain>(attributes);
        edited.set('region', 'eu-1');
        return { part, attributes: edited };
      });
      spliced(skeleton, parts, 'inline');
    },
    layout: () => wireVersionOf(raw, 'auto'),
    examine: () => examineOtlp(raw),
    decode: () => {
      for (let part = 0; part < decoded.length; part++) decodeOtlp(raw, part);
    },
    encode: () => encodeOtlp(decoded),
    'merge 2': () => mergeOtlp([raw, raw]),
    'merge 10': () => mergeOtlp(Array.from({ length: 10 }, () => raw)),
    'OTLP to pprof': () => {
      for (let part = 0; part < decoded.length; part++) toPprof('otlp', raw, { part });
    },
    'pprof to OTLP': () => toOtlp(sources),
    'JSON read': () => fromJson(json, 'profiles'),
    'JSON write': () => toJson(raw, 'profiles'),
    'protobufjs decode': () => requestByProtobufjs.decode(raw),
    'protobufjs encode': () => requestByProtobufjs.encode(proto).finish(),
  };
}

const row = (cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);
const digits = (value: number) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

const made = [20_000, 200_000, 2_000_000].map(size => ({ name: `made, ${size / 1000} KB`, raw: otlpOfSize(size) }));
const found = noCorpus ? [] : CURRENT.map(name => ({ name, raw: capture(name) }));
const requests = [...found, ...made].sort((a, b) => a.raw.length - b.raw.length);
// A worker that runs for days is warm.
for (let n = 0; n < 3; n++) for (const { raw } of requests) for (const work of Object.values(works(raw))) work();
console.log('µs of CPU per call (MB/s of the request)\n');
const columns = Object.keys(works(requests[0]!.raw));
row(['request', 'bytes', ...columns]);
row(Array.from({ length: columns.length + 2 }, () => '---'));
for (const { name, raw } of requests) {
  const cells = Object.values(works(raw)).map(work => {
    const us = measure(work, MS);
    return `${digits(us)} (${(raw.length / us).toFixed(0)})`;
  });
  row([name, raw.length, ...cells]);
}
