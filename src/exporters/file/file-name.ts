import type { Form, Profile, ProfileBatch } from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';

/** Longest substituted value and longest name, bytes; file systems take 255 with the ending. */
const MAX_VALUE_BYTES = 100;
const MAX_NAME_BYTES = 220;

const ENDINGS: Record<Form, string> = {
  pprof: '.pb',
  otlp: '.otlp',
  jfr: '.jfr',
  groups: '.folded',
  lines: '.lines',
  tree: '.tree',
  trie: '.trie',
  speedscope: '.speedscope.json',
};

export const endingOf = (form: Form, gzipped: boolean): string => `${ENDINGS[form]}${gzipped ? '.gz' : ''}`;

/** `name` with its fields filled in. No separator, control character or leading dot survives, so it names a file in the folder. */
export function fileName(
  template: string,
  batch: ProfileBatch,
  { attributes, payload }: Profile,
  sequence: number,
): string {
  const value = (key: string): string => {
    if (key === 'time')
      return new Date(batch.receivedMs)
        .toISOString()
        .replace(/[-:]|Z$/g, '')
        .replace('T', 't');
    if (key === 'seq') return String(sequence).padStart(6, '0');
    if (key === 'tenant') return batch.tenant;
    const held = keyIn(attributes, key);
    return (held !== undefined && labelText(attributes.get(held))) || (key === '__name__' ? payload.form : '');
  };
  const name = template.replace(
    /\{([^{}]+)\}/g,
    (_all, key: string) => clean(value(key), MAX_VALUE_BYTES) || 'unknown',
  );
  return clean(name, MAX_NAME_BYTES) || 'profile';
}

function clean(text: string, maxBytes: number): string {
  const safe = text.replace(/[/\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}:*?"<>|]+/gu, '_').replace(/^\.+/, '_');
  let cut = safe;
  while (Buffer.byteLength(cut) > maxBytes) cut = cut.slice(0, -1);
  return cut.toWellFormed();
}
