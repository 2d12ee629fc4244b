import { BackWriter } from '../pprof/back-writer.ts';
import { type SourceDictionary, sourceDictionary } from './decode-dictionary.ts';
import { Dictionary } from './encode-dictionary.ts';
import { Output, Reinterner } from './reintern.ts';

/** Parts of a request, by index. */
interface Selection {
  readonly source: SourceDictionary;
  readonly parts: readonly number[];
}

/**
 * One request that holds the resources of all, in their order, over one dictionary without orphans: rows that say the same are one row.
 * References are drawn anew; unknown fields stay, other than those of a dictionary. Costs by the bytes of the parts and of the rows
 * that they lead to.
 * @param requests OTLP profiles 1.10; may lie in shared memory
 * @returns memory of its own
 * @throws DecodeError bad_protobuf, bad_reference, duplicate_field, string_table, too_deep, too_many_elements
 */
export function mergeOtlp(requests: readonly Uint8Array[]): Uint8Array {
  return written(
    requests.map(request => {
      const source = sourceDictionary(request);
      return { source, parts: Array.from({ length: source.parts.count }, (_none, part) => part) };
    }),
  );
}

/** As `mergeOtlp`, of some parts of each: one request that holds them in this order. @throws DecodeError as `mergeOtlp` */
export function gatherOtlp(
  of: readonly { readonly request: Uint8Array; readonly parts: readonly number[] }[],
): Uint8Array {
  return written(of.map(({ request, parts }) => ({ source: sourceDictionary(request), parts })));
}

/** The parts of requests over a new dictionary that holds what they lead to. */
export function written(selections: readonly Selection[]): Uint8Array {
  const dictionary = new Dictionary();
  const output = new Output();
  for (const { source, parts } of selections) {
    const reinterner = new Reinterner(source, dictionary, output);
    for (const part of parts) reinterner.part(part);
    for (const { start, end } of source.others) output.copy(source.bytes, start, end);
  }
  const writer = new BackWriter();
  writer.clear(dictionary.size);
  dictionary.write(writer);
  return Buffer.concat([output.bytes.subarray(0, output.length), writer.bytes.subarray(writer.at)]);
}
