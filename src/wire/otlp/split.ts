import { sourceDictionary } from './decode-dictionary.ts';
import { written } from './merge.ts';

/**
 * A request that holds these resources of a request, in this order, with only the rows of the dictionary that they lead to. With all of
 * them it is garbage collection: rows that nothing leads to, and rows that stand twice, go.
 * @param request OTLP profiles 1.10; may lie in shared memory
 * @param parts indexes among its ResourceProfiles
 * @returns memory of its own
 * @throws DecodeError as `mergeOtlp`
 */
export function splitOtlp(request: Uint8Array, parts: readonly number[]): Uint8Array {
  const source = sourceDictionary(request);
  for (const part of parts)
    if (part >= source.parts.count)
      throw new RangeError(`there is no part ${part} in a request of ${source.parts.count}`);
  return written([{ source, parts }]);
}
