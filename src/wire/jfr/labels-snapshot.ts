import { takeRoom } from '../../model/columns/growth.ts';
import { DecodeError } from '../decode-error.ts';
import { BYTES, int64, Reader, VARINT } from '../protobuf.ts';

/** What an entry of a map takes on the heap, bytes, roughly. */
const ENTRY_BYTES = 100;
const KEY = 1;
const VALUE = 2;
const CONTEXTS = 1;
const STRINGS = 2;
const LABELS = 1;

/** Key and value of a label, as ids of strings. */
export type LabelIds = ReadonlyMap<bigint, bigint>;

/** What the Pyroscope agent says of labels beside a recording (grafana/jfr-parser: pprof/jfr_labels.proto). Events name contexts. */
export interface LabelsSnapshot {
  readonly contexts: ReadonlyMap<bigint, LabelIds>;
  readonly strings: ReadonlyMap<bigint, string>;
}

/** @param raw inflated; may lie in shared memory. @throws DecodeError bad_labels */
export function labelsSnapshot(raw: Uint8Array): LabelsSnapshot {
  try {
    return read(new Reader(raw));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new DecodeError('bad_labels', `the labels of the recording cannot be read: ${error.message}`);
  }
}

function read(reader: Reader): LabelsSnapshot {
  const contexts = new Map<bigint, LabelIds>();
  const strings = new Map<bigint, string>();
  while (reader.next()) {
    if (reader.field === CONTEXTS) {
      let labels: LabelIds = new Map();
      const id = entry(reader, () => {
        labels = context(reader);
      });
      contexts.set(id, labels);
    } else if (reader.field === STRINGS) {
      let text = '';
      const id = entry(reader, () => {
        reader.expect(BYTES);
        text = reader.string();
      });
      strings.set(id, text);
    } else reader.skip();
  }
  return { contexts, strings };
}

function context(reader: Reader): LabelIds {
  const labels = new Map<bigint, bigint>();
  const outer = reader.enter();
  reader.each(LABELS, () => {
    let value = 0n;
    const key = fields(reader, () => {
      reader.expect(VARINT);
      reader.varint();
      value = int64(reader.lo, reader.hi);
    });
    labels.set(key, value);
  });
  reader.leave(outer);
  return labels;
}

/** One entry of a map. @returns its key */
function entry(reader: Reader, value: () => void): bigint {
  const outer = reader.enter();
  const key = fields(reader, value);
  reader.leave(outer);
  return key;
}

function fields(reader: Reader, value: () => void): bigint {
  takeRoom(ENTRY_BYTES);
  let key = 0n;
  while (reader.next()) {
    if (reader.field === KEY) {
      reader.expect(VARINT);
      reader.varint();
      key = int64(reader.lo, reader.hi);
    } else if (reader.field === VALUE) value();
    else reader.skip();
  }
  return key;
}
