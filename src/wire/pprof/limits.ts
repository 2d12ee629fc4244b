/** Samples, or strings. The largest real profiles have some 100 000. */
export const MAX_ELEMENTS = 4_000_000;
/** Locations, functions, or mappings. Fewer, since an id that is neither small nor in order costs up to 32 bytes here. */
export const MAX_IDS = 1_000_000;
/** Columns of values. Real profiles have up to 8. */
export const MAX_SAMPLE_TYPES = 256;
/** Labels, lines, or comments: each may cost 2 bytes in a message and 20 to 24 decoded. Real profiles have up to 60 000. */
export const MAX_DETAILS = 8_000_000;
