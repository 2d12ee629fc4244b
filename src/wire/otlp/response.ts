import type { OtlpSignal } from '../../model/otlp.ts';
import { BYTES, int64, Reader, VARINT } from '../protobuf.ts';
import { answerObject, answerText, integerIn, objectIn, textField, textIn, type Wire } from './answer.ts';
import { bytesField, longField } from './any-value.ts';

export type { OtlpSignal } from '../../model/otlp.ts';
export type { Wire } from './answer.ts';
export { type RpcStatus, readRpcStatus, rpcStatus } from './status.ts';

/** What a server took only a part of. None rejected, but a message: a warning. */
export interface PartialSuccess {
  /** Profiles, or spans; not negative. */
  readonly rejected: bigint;
  readonly message: string;
}

const RESPONSE = { partialSuccess: 1 } as const;
/** Of ExportProfilesPartialSuccess and ExportTracePartialSuccess. */
const PARTIAL = { rejected: 1, message: 2 } as const;
const REJECTED = { profiles: 'rejectedProfiles', traces: 'rejectedSpans' } as const;
const REJECTED_SNAKE = { profiles: 'rejected_profiles', traces: 'rejected_spans' } as const;

/**
 * ExportProfilesServiceResponse or ExportTraceServiceResponse. The message is cut at `MAX_ANSWER_TEXT_BYTES`.
 * @param partial undefined where all was taken
 */
export function exportResponse(signal: OtlpSignal, partial: PartialSuccess | undefined, wire: Wire): Uint8Array {
  const message = answerText(partial?.message ?? '');
  const rejected = partial?.rejected ?? 0n;
  if (wire === 'json') {
    const partialSuccess = {
      ...(rejected !== 0n && { [REJECTED[signal]]: rejected.toString() }),
      ...(message !== '' && { errorMessage: message }),
    };
    return Buffer.from(JSON.stringify(partial ? { partialSuccess } : {}));
  }
  if (!partial) return new Uint8Array(0);
  return bytesField(
    RESPONSE.partialSuccess,
    Buffer.concat([
      rejected === 0n ? new Uint8Array(0) : longField(PARTIAL.rejected, rejected),
      message === '' ? new Uint8Array(0) : bytesField(PARTIAL.message, Buffer.from(message)),
    ]),
  );
}

/**
 * @param bytes a whole answer; the caller bounds its length
 * @returns undefined where all was taken and nothing is to be said. A negative count, which nobody should send, is 0
 * @throws DecodeError bad_protobuf, bad_string, bad_json
 */
export function readExportResponse(signal: OtlpSignal, bytes: Uint8Array, wire: Wire): PartialSuccess | undefined {
  const { rejected, message } = wire === 'json' ? readJson(signal, bytes) : readProtobuf(bytes);
  if (rejected <= 0n && message === '') return undefined;
  return { rejected: rejected < 0n ? 0n : rejected, message };
}

function readJson(signal: OtlpSignal, bytes: Uint8Array): PartialSuccess {
  const response = answerObject(bytes);
  const partial = objectIn(response.partialSuccess ?? response.partial_success);
  return {
    rejected: integerIn(partial[REJECTED[signal]] ?? partial[REJECTED_SNAKE[signal]]),
    message: textIn(partial.errorMessage ?? partial.error_message),
  };
}

function readProtobuf(bytes: Uint8Array): PartialSuccess {
  let rejected = 0n;
  let message = '';
  const reader = new Reader(bytes);
  while (reader.next()) {
    if (reader.field !== RESPONSE.partialSuccess) {
      reader.skip();
      continue;
    }
    reader.expect(BYTES);
    const outer = reader.enter();
    while (reader.next()) {
      if (reader.field === PARTIAL.rejected) {
        reader.expect(VARINT);
        reader.varint();
        rejected = int64(reader.lo, reader.hi);
      } else if (reader.field === PARTIAL.message) message = textField(reader);
      else reader.skip();
    }
    reader.leave(outer);
  }
  return { rejected, message };
}
