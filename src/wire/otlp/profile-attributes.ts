import type { Plain } from '../../model/attributes.ts';

// Attributes of profiles and scopes that pprof has a field for (OTel semantic conventions, model/pprof).

export const COMMENT = 'pprof.profile.comment';
export const DROP_FRAMES = 'pprof.profile.drop_frames';
export const KEEP_FRAMES = 'pprof.profile.keep_frames';
export const DOC_URL = 'pprof.profile.doc_url';
export const DEFAULT_SAMPLE_TYPE = 'pprof.scope.default_sample_type';
export const SAMPLE_TYPE_ORDER = 'pprof.scope.sample_type_order';

/**
 * The comments that an attribute holds, and their place among others: a list, or as older translators wrote them, one attribute per
 * comment with a number behind its key, or one text with commas. Undefined for what is none of these.
 */
export function commentsIn(key: string, value: Plain): { place: number; texts: readonly string[] } | undefined {
  if (!key.startsWith(COMMENT)) return undefined;
  const rest = key.slice(COMMENT.length);
  if (rest === '') {
    if (typeof value === 'string' && value !== '') return { place: -1, texts: value.split(',') };
    const isList = Array.isArray(value) && value.length > 0 && value.every(one => typeof one === 'string');
    return isList ? { place: -1, texts: value as string[] } : undefined;
  }
  const number = /^\.(\d{1,9})$/.exec(rest);
  return number && typeof value === 'string' ? { place: Number(number[1]), texts: [value] } : undefined;
}

/** A permutation of as many columns as there are profiles: `order[i]` is the column of profile i. Undefined where it is none. */
export function orderIn(value: Plain | undefined, profiles: number): number[] | undefined {
  if (!Array.isArray(value) || value.length !== profiles) return undefined;
  const order = value.map(one => (typeof one === 'bigint' && one >= 0n && one < BigInt(profiles) ? Number(one) : -1));
  return new Set(order).size === profiles && !order.includes(-1) ? order : undefined;
}
