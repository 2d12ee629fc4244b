/** What stands behind `convert`, `inspect` and `diff`. */
export interface ProfileOptions {
  /** Files, in the order of the verb: IN and OUT, FILE, A and B. `-` is a pipe. */
  readonly operands: readonly string[];
  /** The form of what is written, where the ending of its name does not say it. */
  readonly to: string | undefined;
  /** The form of what is read, where its content does not say it. */
  readonly from: string | undefined;
  readonly profile: string | undefined;
  /** A sample type by its name, without the unit. */
  readonly type: string | undefined;
  /** Whether folded text gets the labels of samples. */
  readonly labels: boolean;
  /** File with the LabelsSnapshot that Pyroscope's Java agent sends beside its JFR. */
  readonly jfrLabels: string | undefined;
  readonly json: boolean;
  /** Functions to show. */
  readonly top: number | undefined;
  /** Percent. */
  readonly failOver: number | undefined;
  /** Percent. */
  readonly min: number | undefined;
  readonly perSecond: boolean;
}

export interface Speaker {
  out(text: string): void;
  err(text: string): void;
}
