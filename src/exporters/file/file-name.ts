import type { Profile, ProfileBatch } from '../../api/index.ts';
import { keyIn, labelText } from '../../model/attributes.ts';
import { endingOf, FORMS } from '../../model/payload.ts';

/** Longest substituted value, bytes. */
const MAX_VALUE_BYTES = 100;
/** Where names with many fields stop being shortened value by value, bytes. */
const MIN_VALUE_BYTES = 8;
/** Longest name without its ending, bytes: file systems take 255, the longest ending has 20. */
const MAX_NAME_BYTES = 235;

const FIELD = /\{([^{}]+)\}/g;
const UNSAFE = /[/\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}:*?"<>|]+/gu;

const ENDINGS = [...FORMS.map(form => endingOf(form, 'identity')), '.otlp.jsonl'];
const ANY_ENDING = `(?:${ENDINGS.map(RegExp.escape).join('|')})(?:\\.gz|\\.zst)?`;

/**
 * `template` with its fields filled in. No separator, control character or leading dot survives, so it names a file in the
 * folder. A name that would be too long has its values shortened, all alike, so that `time` and `seq` keep it apart from others.
 */
export function fileName(template: string, batch: ProfileBatch, profile: Profile, sequence: number): string {
  let name = '';
  for (let limit = MAX_VALUE_BYTES; limit >= MIN_VALUE_BYTES; limit = Math.floor(limit / 2)) {
    name = template.replace(FIELD, (_all, key: string) => {
      if (key === 'time') return timeText(batch.receivedMs);
      if (key === 'seq') return String(sequence).padStart(6, '0');
      return clean(fieldText(key, batch, profile), limit) || 'unknown';
    });
    name = name.replace(UNSAFE, '_').replace(/^\.+/, '_');
    if (Buffer.byteLength(name) <= MAX_NAME_BYTES) break;
  }
  return clean(name, MAX_NAME_BYTES);
}

/**
 * Matches what `fileName` makes of this template, with any ending of ours, and as little else as can be: what matches counts as
 * ours and may be deleted.
 */
export function ownNames(template: string): RegExp {
  let source = '';
  for (const [at, piece] of template.split(FIELD).entries()) {
    // Pieces at odd places are what stands between the braces.
    if (at % 2 === 0) source += RegExp.escape(at === 0 ? clean(piece, MAX_NAME_BYTES) : piece.replace(UNSAFE, '_'));
    else if (piece === 'time') source += String.raw`\d{8}T\d{6}\.\d{3}`;
    else source += piece === 'seq' ? String.raw`\d{6,}` : '.+';
  }
  return new RegExp(`^${source}${ANY_ENDING}$`, 'su');
}

function fieldText(key: string, { tenant }: ProfileBatch, { attributes, payload }: Profile): string {
  if (key === 'tenant') return tenant;
  const held = keyIn(attributes, key);
  // A profile of /ingest has no name of its own; its form says more than "unknown".
  return (held !== undefined && labelText(attributes.get(held))) || (key === '__name__' ? payload.form : '');
}

/** UTC, `20231114T221320.123`: sorts as text, and holds nothing that a file system refuses. */
function timeText(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/[-:Z]/g, '');
}

function clean(text: string, maxBytes: number): string {
  // No character is shorter than a byte: what is behind can go before anything is counted.
  let cut = text.slice(0, maxBytes).replace(UNSAFE, '_').replace(/^\.+/, '_');
  while (Buffer.byteLength(cut) > maxBytes) cut = cut.slice(0, -1);
  return cut.toWellFormed();
}
