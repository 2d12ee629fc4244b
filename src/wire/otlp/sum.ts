/** Sums of this size are still exact in a double, and so is one more value below 2^52. */
const SAFE = 2 ** 52;

/**
 * Writes the sum of signed 64-bit numbers, given as halves, to a place of another column. No BigInt while all is small.
 * @returns false where the sum has more than 64 bits; nothing is written then
 */
export function addInt64s(halves: Uint32Array, from: number, to: number, target: Uint32Array, place: number): boolean {
  let sum = 0;
  for (let at = from; at < to; at++) {
    const hi = halves[2 * at + 1]! | 0;
    if (hi > 0xfffff || hi < -0x100000) return addLarge(halves, from, to, target, place);
    sum += hi * 4294967296 + halves[2 * at]!;
    if (sum > SAFE || sum < -SAFE) return addLarge(halves, from, to, target, place);
  }
  target[2 * place] = sum;
  target[2 * place + 1] = Math.floor(sum / 4294967296);
  return true;
}

function addLarge(halves: Uint32Array, from: number, to: number, target: Uint32Array, place: number): boolean {
  let sum = 0n;
  for (let at = from; at < to; at++) sum += (BigInt(halves[2 * at + 1]! | 0) << 32n) + BigInt(halves[2 * at]!);
  if (BigInt.asIntN(64, sum) !== sum) return false;
  target[2 * place] = Number(sum & 0xffffffffn);
  target[2 * place + 1] = Number((sum >> 32n) & 0xffffffffn);
  return true;
}
