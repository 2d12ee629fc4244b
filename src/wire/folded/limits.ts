/** Lines that samples may be written as where each occurrence is a line: some 100 s of a sampler at 100 Hz on 1 000 threads. */
export const MAX_OCCURRENCES = 10_000_000;
/**
 * What a text may be, bytes. Stacks and names that samples share stand in it once for each, so that a profile within all limits could
 * become terabytes. The largest real ones become some 20 MiB.
 */
export const MAX_TEXT_BYTES = 128 * 1024 * 1024;
