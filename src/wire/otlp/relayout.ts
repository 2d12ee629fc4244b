import { BYTES, fieldHead, Reader } from '../protobuf.ts';
import { REQUEST, RESOURCE_PROFILES, SCOPE_PROFILES } from './fields.ts';
import type { Span } from './skeleton.ts';
import { spanOf } from './skeleton.ts';
import type { WireVersion } from './version.ts';

const SAMPLES = 2;
/** Profile.comment_strindices of 1.8. */
const COMMENTS = 7;
/** Of a field that has no number in the layout asked for. */
const GONE = 0;

/** The number of each field of Profile, by its number in the source; a number beyond the table stays. */
const PROFILE_1_8_UP = [0, 1, 2, 3, 4, 5, 6, GONE, 7, 8, 9, 10, 11];
/** 12 would become attribute_indices. */
const PROFILE_1_8_DOWN = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, GONE];
const SAME: readonly number[] = [];
/** Values 2, attributes 3, link 4 become attributes 2, link 3, values 4. */
const SAMPLE_1_10_UP = [0, 1, 4, 2, 3];
const SAMPLE_1_10_DOWN = [0, 1, 3, 4, 2];

/**
 * A request in another layout (opentelemetry-proto v1.8.0, v1.9.0 and v1.10.0, profiles.proto): numbers of fields change in place, everything else keeps its bytes.
 * Lost are the comments of 1.8 (Profile.comment_strindices), which later layouts have no field for (`commentsLost` counts them), and towards 1.8 an unknown field
 * 12 of Profile, since it would be read as attribute_indices. References in attributes, new in 1.10, stay: 1.8 and 1.9 do not know
 * them, so write them out before (`spliced`, inline).
 * @returns new memory, or `bytes` themselves where the layouts are the same
 * @throws DecodeError bad_protobuf
 */
export function relayout(bytes: Uint8Array, from: WireVersion, to: WireVersion): Uint8Array {
  const profile = from === '1.8' ? (to === '1.8' ? SAME : PROFILE_1_8_UP) : to === '1.8' ? PROFILE_1_8_DOWN : SAME;
  const isOld = from !== '1.10';
  const sample = isOld === (to !== '1.10') ? SAME : isOld ? SAMPLE_1_10_UP : SAMPLE_1_10_DOWN;
  if (profile === SAME && sample === SAME) return bytes;
  const output = new Uint8Array(bytes);
  const gone: Span[] = [];
  const reader = new Reader(bytes);
  reader.each(REQUEST.resourceProfiles, () =>
    reader.each(RESOURCE_PROFILES.scopeProfiles, () =>
      reader.each(SCOPE_PROFILES.profiles, () => {
        for (let at = reader.at; reader.next(); at = reader.at) {
          const { field } = reader;
          const isSample = field === SAMPLES && reader.type === BYTES;
          if (isSample && sample !== SAME) {
            const outer = reader.enter();
            for (let tag = reader.at; reader.next(); tag = reader.at) {
              renumber(output, tag, reader, sample);
              reader.skip();
            }
            reader.leave(outer);
            continue;
          }
          reader.skip();
          if (profile[field] === GONE) gone.push({ from: at, start: at, end: reader.at });
          else renumber(output, at, reader, profile);
        }
      }),
    ),
  );
  return gone.length > 0 ? without(output, gone) : output;
}

/**
 * How many comments `relayout` loses between these layouts, for whoever counts losses. Costs by the number of profiles and samples.
 * @throws DecodeError bad_protobuf
 */
export function commentsLost(bytes: Uint8Array, from: WireVersion, to: WireVersion): number {
  if (from !== '1.8' || to === '1.8') return 0;
  let lost = 0;
  const reader = new Reader(bytes);
  reader.each(REQUEST.resourceProfiles, () =>
    reader.each(RESOURCE_PROFILES.scopeProfiles, () =>
      reader.each(SCOPE_PROFILES.profiles, () => {
        while (reader.next()) {
          if (reader.field !== COMMENTS || reader.type !== BYTES) {
            if (reader.field === COMMENTS) lost++;
            reader.skip();
            continue;
          }
          const outer = reader.enter();
          for (; reader.at < reader.end; lost++) reader.varint();
          reader.leave(outer);
        }
      }),
    ),
  );
  return lost;
}

/** Numbers below 16 lie in the first byte of a tag, however long it is padded. */
function renumber(output: Uint8Array, at: number, { field }: Reader, numbers: readonly number[]): void {
  const number = numbers[field];
  if (number !== undefined) output[at] = (output[at]! & 0x87) | (number << 3);
}

/** Where profiles lie inside each other, from the outside. */
const LEVELS = [REQUEST.resourceProfiles, RESOURCE_PROFILES.scopeProfiles, SCOPE_PROFILES.profiles];

/** The request without these fields of its profiles, which come in order. */
function without(bytes: Uint8Array, gone: readonly Span[]): Uint8Array {
  let next = 0;
  const copy = (start: number, end: number, level: number): Uint8Array => {
    const chunks: Uint8Array[] = [];
    let done = start;
    const reader = new Reader(bytes, start, end);
    for (let at = start; reader.next(); at = reader.at) {
      if (level === LEVELS.length) {
        reader.skip();
        if (gone[next]?.from !== at) continue;
        next++;
        chunks.push(bytes.subarray(done, at));
      } else if (reader.field !== LEVELS[level]) {
        reader.skip();
        continue;
      } else {
        const span = spanOf(reader, at);
        if ((gone[next]?.from ?? end) >= span.end) continue;
        const content = copy(span.start, span.end, level + 1);
        chunks.push(bytes.subarray(done, at), fieldHead(reader.field, content.length), content);
      }
      done = reader.at;
    }
    return Buffer.concat([...chunks, bytes.subarray(done, end)]);
  };
  return copy(0, bytes.length, 0);
}
