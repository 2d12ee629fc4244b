/** ResourceProfiles in a request: one per process in what an eBPF agent sends, some thousands on a large host. Each costs objects here. */
export const MAX_PARTS = 100_000;
/** Profiles in a request. As above, each with up to three. */
export const MAX_PROFILES = 200_000;
/** Samples in a request. The largest real ones have some 100 000. */
export const MAX_SAMPLES = 4_000_000;
/** Rows of one table of the dictionary. The largest real ones have some 100 000. */
export const MAX_ROWS = 4_000_000;
