/** V8 allocates in steps of this many bytes. */
const ALIGNMENT = 8;

/**
 * Objects that one heap sample stands for. V8 multiplies the size of the sampled object by the count that it represents and
 * tells the product only, so this is an estimate: the smallest object size that gives this product. Over all sizes up to 8 KiB
 * it is at most twice the truth in the middle and seven times in one of ten; counting samples instead would be 10 000 times too
 * low for small objects. `inuse_space` is not affected.
 * @param scaledBytes `size` of a sample in V8's sampling heap profile
 * @param meanBytes the sampling interval
 */
export function objectsIn(scaledBytes: number, meanBytes: number): number {
  const root = Math.sqrt(scaledBytes);
  for (let size = ALIGNMENT; size <= root; size += ALIGNMENT)
    if (scaledBytes % size === 0 && representedBy(size, meanBytes) === scaledBytes / size) return scaledBytes / size;
  for (let count = Math.floor(root); count > 1; count--)
    if (scaledBytes % count === 0 && representedBy(scaledBytes / count, meanBytes) === count) return count;
  return 1;
}

/** How many objects of this size one sample of a Poisson process stands for, as V8 rounds it. */
function representedBy(size: number, meanBytes: number): number {
  return Math.round(1 / (1 - Math.exp(-size / meanBytes)));
}
