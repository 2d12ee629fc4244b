import type { Payload } from '../model/payload.ts';
import type { Summary } from '../model/summary.ts';
import { DecodeError } from '../wire/decode-error.ts';
import { summarizePprof } from '../wire/pprof/payload.ts';

/** Work on payload bytes, by name. Pure: bytes and plain values in, plain values out. */
export const tasks = {
  /** What a profile says of itself; undefined for a form that has no decoder and for bytes that do not parse. */
  async summary(payload: Payload): Promise<Summary | undefined> {
    if (payload.form !== 'pprof') return undefined;
    try {
      return await summarizePprof(payload);
    } catch (error) {
      if (error instanceof DecodeError) return undefined;
      throw error;
    }
  },
};
