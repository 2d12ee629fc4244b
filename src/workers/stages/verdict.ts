// Stages come from outside too: what they return is looked at before it is believed, while it is known whose it is.
import type { Verdict } from '../../api/stage.ts';
import type { Plain } from '../../model/attributes.ts';

/** Deeper values are taken for a mistake. */
const MAX_DEPTH = 32;

/** @throws Error with a sentence when it is no verdict, or holds what cannot leave the thread */
export function checked(verdict: Verdict<Plain>): Verdict<Plain> {
  if (typeof verdict !== 'object' || verdict === null || typeof verdict.keep !== 'boolean')
    throw new Error('returned no verdict: an object with `keep` is expected');
  const { reason, set, notes } = verdict;
  if (reason !== undefined && typeof reason !== 'string') throw new Error('`reason` of its verdict is no text');
  if (set !== undefined) {
    if (!(set instanceof Map)) throw new Error('`set` of its verdict is no Map');
    for (const [key, value] of set)
      if (typeof key !== 'string' || !isPlain(value, 0))
        throw new Error(`\`set\` of its verdict holds what is no plain value under \`${String(key)}\``);
  }
  if (notes !== undefined) {
    if (!Array.isArray(notes)) throw new Error('`notes` of its verdict is no list');
    if (!notes.every(note => isPlain(note, 0))) throw new Error('a note of its verdict is no plain value');
  }
  return verdict;
}

function isPlain(value: unknown, depth: number): boolean {
  if (value === null || value instanceof Uint8Array) return true;
  if (typeof value !== 'object') return ['boolean', 'number', 'bigint', 'string'].includes(typeof value);
  if (depth === MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every(inner => isPlain(inner, depth + 1));
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every(inner => isPlain(inner, depth + 1));
}
