/** What a sample type measures, e.g. `cpu` in `nanoseconds`. */
export interface ValueType {
  readonly type: string;
  readonly unit: string;
}

/** What a profile says of itself, without a sample. 64-bit values are exact. */
export interface Summary {
  /** In the order of the profile; `total` is the signed sum of the column and may exceed 64 bits. */
  readonly types: readonly (ValueType & { readonly total: bigint })[];
  readonly periodType?: ValueType;
  readonly period: bigint;
  /** Unix nanoseconds; 0 when the profile does not say. */
  readonly startNs: bigint;
  readonly durationNs: bigint;
  readonly samples: number;
  readonly locations: number;
  readonly functions: number;
}

/** What a look at a whole profile found. */
export interface Examined {
  readonly summary: Summary;
  /** Its length with compression undone. */
  readonly inflatedBytes: number;
}
