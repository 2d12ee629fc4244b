/** Bytes from outside that are not what they should be. The only thing that `wire` throws. */
export class DecodeError extends Error {
  /** snake_case, from a small set: the label of the counter. */
  readonly reason: string;
  /** @param message a sentence for the sender; never contains input bytes */
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}
