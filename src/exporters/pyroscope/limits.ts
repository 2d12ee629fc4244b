// What Pyroscope allows of a series (Pyroscope 2.1, pkg/validation). Attributes of an OTLP resource know no such bounds.
import { wellFormedPrefix } from '../../wire/pyroscope/labels.ts';

/** Longest value of a label, bytes. */
const MAX_VALUE_BYTES = 2048;
/** Longest name of a label, bytes. */
const MAX_NAME_BYTES = 1024;

/** Labels without which a series is another one. */
const KEPT = new Set(['service_name', '__name__']);

/**
 * Brings labels that came as attributes within what the store takes: the last ones beyond `maxNames` go, and so do those whose name is too
 * long; a value that is too long ends early.
 * @returns how many labels went or were cut
 */
export function cutLabels(labels: Map<string, string>, maxNames: number): number {
  let cut = 0;
  for (const [name, value] of labels) {
    if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES) labels.delete(name);
    else if (value.length * 3 > MAX_VALUE_BYTES && Buffer.byteLength(value) > MAX_VALUE_BYTES)
      labels.set(name, wellFormedPrefix(value, MAX_VALUE_BYTES));
    else continue;
    cut++;
  }
  for (const name of [...labels.keys()].reverse()) {
    if (labels.size <= maxNames) break;
    if (KEPT.has(name)) continue;
    labels.delete(name);
    cut++;
  }
  return cut;
}
