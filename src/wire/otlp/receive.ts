import type { OtlpAsked, OtlpReceived } from '../../model/otlp.ts';
import { examineOtlp } from './examine.ts';
import { examineTraces } from './examine-traces.ts';
import { fromJson } from './json-read.ts';
import { commentsLost, relayout } from './relayout.ts';
import { skeletonOf } from './skeleton.ts';
import { wireVersionOf } from './version.ts';

/**
 * An OTLP request as it came, made what travels inside: protobuf, profiles in the 1.10 layout, checked as far as `validate` says.
 * @param bytes may lie in shared memory; they stay as they are
 * @throws DecodeError as `fromJson`, `wireVersionOf`, `relayout`, `examineOtlp` and `examineTraces`
 */
export function receiveOtlp(bytes: Uint8Array, { signal, wire, version, validate }: OtlpAsked): OtlpReceived {
  let request = wire === 'json' ? fromJson(bytes, signal) : bytes;
  let comments = 0;
  if (signal === 'profiles' && wire === 'protobuf') {
    const from = wireVersionOf(request, version);
    comments = commentsLost(request, from, '1.10');
    request = relayout(request, from, '1.10');
  }
  return {
    ...(request !== bytes && { rewritten: request }),
    ...(comments > 0 && { losses: [{ reason: 'otlp_1_8_comment', items: comments }] }),
    ...checked(request, signal, validate),
  };
}

function checked(request: Uint8Array, signal: OtlpAsked['signal'], validate: OtlpAsked['validate']): OtlpReceived {
  if (validate === 'header') {
    return signal === 'profiles' ? { references: skeletonOf(request).references } : {};
  }
  if (signal === 'traces') return { items: examineTraces(request).spans };
  const { parts, references } = examineOtlp(request);
  return {
    summaries: parts.map(part => part.summary),
    items: parts.reduce((sum, part) => sum + part.profiles, 0),
    references,
  };
}
