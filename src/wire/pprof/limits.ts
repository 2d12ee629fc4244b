import { resourceLimits } from 'node:worker_threads';

/** Samples, or strings. The largest real profiles have some 100 000. */
export const MAX_ELEMENTS = 4_000_000;
/** Locations, functions, or mappings. Fewer, since an id that is neither small nor in order costs up to 32 bytes here. */
export const MAX_IDS = 1_000_000;
/** Columns of values. Real profiles have up to 8. */
export const MAX_SAMPLE_TYPES = 256;
/** Frames of one stack in a form of text. The deepest that was seen has 20 000, of a recursion that a runtime stopped; beyond that it is made up. */
export const MAX_FRAMES = 65_536;
/** Labels, lines, or comments: each may cost 2 bytes in a message and 20 to 24 decoded. Real profiles have up to 60 000. */
export const MAX_DETAILS = 8_000_000;

const MIB = 1024 * 1024;
/** What `service.workers.thread_memory` is by default; the limit of a worker says what it is. */
const THREAD_MIB = 512;
const THREAD_BYTES = (resourceLimits.maxOldGenerationSizeMb ?? THREAD_MIB) * MIB;
/** Beside the columns a thread holds the inflated profile, what it encodes, and twice what grows at the moment. */
const DECODED_SHARE = 3 / 8;
const EDITED_SHARE = 1 / 2;
/**
 * What one profile may take decoded, bytes: 192 MiB of 512. One within all limits above may take more than a thread may have, and would
 * end two of them. Real profiles take 2 to 7 times their inflated size, so that 28 MiB always fit, and the largest take 6 MB.
 */
export const MAX_DECODED_BYTES = THREAD_BYTES * DECODED_SHARE;
/** What the columns may take once stages edited them, bytes: a label for each sample may be most of it. */
export const MAX_EDITED_BYTES = THREAD_BYTES * EDITED_SHARE;
