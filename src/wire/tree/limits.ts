/** Bytes of a name: what Pyroscope keeps of one (`max_profile_symbol_value_length`), and the longest that it reads in a tree. */
export const MAX_NAME_BYTES = 65_535;
/** Children of a node of a tree: what Pyroscope reads (`max_profile_stacktrace_samples`). */
export const MAX_CHILDREN = 16_000;
