/**
 * The two forms that say the most (from one to itself: OTLP that was decoded, edited and encoded again), and the others. A form is read into
 * columns, which hold what it says but for what stands here as `to: 'any'`; what another form cannot say of columns is `from: 'any'`.
 */
export type FormName = 'pprof' | 'otlp' | 'jfr' | 'folded' | 'speedscope' | 'v8' | 'perf' | 'legacy' | 'any';

/** What one form says and another has no place for. Every entry is counted, by the outbox when the store took what is left: nothing is lost in silence. */
export interface LossEntry {
  readonly from: FormName;
  readonly to: FormName;
  /** What an item of the count is. */
  readonly item: string;
  readonly sentence: string;
}
