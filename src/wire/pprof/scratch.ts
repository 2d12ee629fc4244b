import { Columns } from '../../model/columns/columns.ts';
import { decodePprof } from './decode.ts';

/** Columns that hold more than this are not kept for the next profile, bytes. One of 2.7 MB takes about 8 MB. */
const KEPT_BYTES = 32 * 1024 * 1024;

const NO_BYTES = new Uint8Array(0);

let scratch = new Columns();

/**
 * As `decodePprof`, into the columns that this thread uses for one profile after another, which takes half the time up to 60 KB.
 * @returns columns that are valid until the next call, or `releaseScratch`
 * @throws DecodeError as `decodePprof`
 */
export function decodeToScratch(raw: Uint8Array): Columns {
  return decodePprof(raw, scratch);
}

/** For when the columns are done with: what a large profile took does not stay until the next one comes, nor what its edits made. */
export function releaseScratch(): void {
  if (scratch.heldBytes > KEPT_BYTES) scratch = new Columns();
  else scratch.clear(NO_BYTES);
}
