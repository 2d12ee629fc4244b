import type { ValueType } from '../../model/summary.ts';
import { DecodeError } from '../decode-error.ts';

/** Display names of sample types when the sender gives none; others stand for themselves. */
const DISPLAY_NAMES: ReadonlyMap<string, string> = new Map([
  ['samples', 'cpu'],
  ['goroutine', 'goroutines'],
  ['contentions', 'mutex_count'],
  ['delay', 'mutex_duration'],
]);

/**
 * `__name__` of a pprof that came by /ingest, from its sample types: `wall` anywhere wins, then the first type that tells;
 * when none does, the last one as it is.
 */
export function profileName(
  types: readonly ValueType[],
  displayNames: ReadonlyMap<string, string> = DISPLAY_NAMES,
): string {
  if (types.some(({ type }) => type === 'wall')) return 'wall';
  let name = '';
  for (const { type } of types) {
    name = displayNames.get(type) ?? type;
    if (name.includes('cpu')) return 'process_cpu';
    if (name.includes('alloc_') || name.includes('inuse_') || name === 'space' || name === 'objects') return 'memory';
    if (name.includes('mutex_')) return 'mutex';
    if (name.includes('block_')) return 'block';
    if (name.includes('goroutines')) return 'goroutines';
  }
  return name;
}

/** Display names of a `sample_type_config` part, by sample type. @throws DecodeError bad_json */
export function parseSampleTypeConfig(bytes: Uint8Array): ReadonlyMap<string, string> {
  let config: Record<string, Record<string, unknown> | null> | null;
  try {
    config = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new DecodeError('bad_json', 'sample_type_config is not JSON');
  }
  if (config === null || typeof config !== 'object' || Array.isArray(config))
    throw new DecodeError('bad_json', 'sample_type_config is not an object');
  const names = new Map<string, string>();
  for (const [type, settings] of Object.entries(config)) {
    if (settings === null) continue;
    if (typeof settings !== 'object' || Array.isArray(settings))
      throw new DecodeError('bad_json', 'an entry of sample_type_config is not an object');
    const name: unknown = settings['display-name'] ?? '';
    if (typeof name !== 'string')
      throw new DecodeError('bad_json', 'a display-name of sample_type_config is no string');
    if (name !== '') names.set(type, name);
  }
  return names;
}
