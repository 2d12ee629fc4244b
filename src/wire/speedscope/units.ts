/** What `$schema` of every file says. */
export const SCHEMA = 'https://www.speedscope.app/file-format-schema.json';

/** What numbers of a unit measure here. */
export interface Measure {
  readonly type: string;
  readonly unit: string;
  /** Decimal places that the numbers move to be in this unit. */
  readonly digits: number;
}

const time = (digits: number): Measure => ({ type: 'wall', unit: 'nanoseconds', digits });
/** Of the file's schema, with the sample types that Pyroscope gives them. */
export const UNITS: ReadonlyMap<string, Measure> = new Map([
  ['none', { type: 'samples', unit: 'count', digits: 0 }],
  ['nanoseconds', time(0)],
  ['microseconds', time(3)],
  ['milliseconds', time(6)],
  ['seconds', time(9)],
  ['bytes', { type: 'samples', unit: 'bytes', digits: 0 }],
]);

/**
 * A member of profiles that we wrote, `{source, name, type, unit}`: which profile it was a sample type of, and what its numbers measure,
 * as it was before units that the schema does not have became `none`. Others pass over it.
 */
export const OWN_MEMBER = 'flamegate';
/** Who wrote the file, with the version of what stands in `OWN_MEMBER`. */
export const EXPORTER = 'flamegate@1';
