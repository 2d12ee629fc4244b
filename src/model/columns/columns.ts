/** A profile as a struct of arrays. */
export interface Columns {
  /** Set by whoever changes anything: what was not edited is never encoded again. */
  edited: boolean;
}
