/** Bytes from outside that are not what they should be. The only thing that `wire` throws. */
export class DecodeError extends Error {
  /** snake_case, from a small set: the label of the counter. */
  readonly reason: string;
  /** Set where not the bytes are at fault but the moment: how long the sender should wait, ms. */
  readonly retryAfterMs?: number;
  /** @param message a sentence for the sender; never contains input bytes */
  constructor(reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.reason = reason;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}
