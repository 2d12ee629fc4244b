import type { Columns } from '../../model/columns/columns.ts';
import type { Losses } from '../convert/losses.ts';
import { DecodeError } from '../decode-error.ts';
import { fillWithin } from '../fill-within.ts';
import { MAX_DECODED_BYTES } from '../pprof/limits.ts';
import { TextLines } from '../text-lines.ts';
import { CONTENTION_TITLE, decodeContention } from './contention.ts';
import { decodeCpu } from './cpu.ts';
import { decodeGoCount, GO_COUNT } from './go-count.ts';
import { decodeHeap, HEAP_TITLE } from './heap.ts';
import { decodeJava, isJava, JAVA_TITLE } from './java.ts';
import { isEmptyOrComment } from './text.ts';
import { decodeThreads, THREAD_TITLE, THREADS_TITLE } from './thread.ts';
import { cpuTitleOf } from './words.ts';

type Kind = 'cpu' | 'heap' | 'count' | 'threads' | 'contention' | 'java';

/** How far a title may lie behind comments, bytes. */
const TITLE_WITHIN = 4096;

/**
 * What pprof read before there was protobuf, and reads still: heap, growth, contention, threads and count profiles in text, and binary CPU
 * profiles, of C++, Go and Java (google/pprof, profile/legacy_profile.go, profile/legacy_java_profile.go). Values are those that pprof
 * makes of them. Beyond pprof, names in the comments of Go and of threads are kept; pprof's patterns of frames to drop are not set.
 * @throws DecodeError bad_legacy, value_overflow, too_many_elements
 */
export function decodeLegacy(raw: Uint8Array, losses?: Losses, maxBytes = MAX_DECODED_BYTES): Columns {
  return fillWithin(maxBytes, 0, () => {
    switch (kindOf(raw)) {
      case 'cpu':
        return decodeCpu(raw);
      case 'heap':
        return decodeHeap(raw, losses);
      case 'count':
        return decodeGoCount(raw, losses);
      case 'threads':
        return decodeThreads(raw, losses);
      case 'contention':
        return decodeContention(raw, losses);
      case 'java':
        return decodeJava(raw);
      case undefined:
        throw new DecodeError('bad_legacy', 'the title is none of a legacy profile, at line 1');
    }
  });
}

/** Whether the beginning is that of a legacy profile; costs a look at the first lines. */
export function isLegacy(raw: Uint8Array): boolean {
  return kindOf(raw) !== undefined;
}

function kindOf(raw: Uint8Array): Kind | undefined {
  if (cpuTitleOf(raw)) return 'cpu';
  const head = raw.subarray(0, TITLE_WITHIN);
  const lines = new TextLines(head);
  lines.next();
  if (HEAP_TITLE.test(lines.text)) return 'heap';
  if (JAVA_TITLE.test(lines.text) && isJava(head)) return 'java';
  if (CONTENTION_TITLE.test(lines.text)) return 'contention';
  while (isEmptyOrComment(lines.text)) if (!lines.next()) return undefined;
  if (GO_COUNT.test(lines.text)) return 'count';
  return THREADS_TITLE.test(lines.text) || THREAD_TITLE.test(lines.text) ? 'threads' : undefined;
}
