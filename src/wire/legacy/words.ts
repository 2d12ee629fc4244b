/** Words of 4 or 8 bytes in either order, as the machine wrote them that was profiled. */
export class Words {
  at: number;
  readonly size: 4 | 8;
  readonly #isLittle: boolean;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, size: 4 | 8, isLittle: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.size = size;
    this.#isLittle = isLittle;
    this.at = 0;
  }

  /** Whole words up to the end. */
  get left(): number {
    return Math.floor((this.#view.byteLength - this.at) / this.size);
  }

  /** The next word; only where one is left. */
  next(): bigint {
    const { at, size } = this;
    this.at += size;
    return size === 8 ? this.#view.getBigUint64(at, this.#isLittle) : BigInt(this.#view.getUint32(at, this.#isLittle));
  }
}

export interface CpuTitle {
  readonly words: Words;
  readonly isJava: boolean;
  readonly periodMicros: bigint;
}

/** The five words that a binary CPU profile begins with: 0, 3, whether it is of Java, microseconds between samples, 0. */
export function cpuTitleOf(raw: Uint8Array): CpuTitle | undefined {
  for (const size of [4, 8] as const)
    for (const isLittle of [true, false]) {
      const words = new Words(raw, size, isLittle);
      if (words.left < 5) continue;
      const [zero, three, java, periodMicros, padding] = Array.from({ length: 5 }, () => words.next());
      const isTitle = zero === 0n && three === 3n && java! <= 1n && periodMicros! > 0n && padding === 0n;
      if (isTitle) return { words, isJava: java === 1n, periodMicros: periodMicros! };
    }
  return undefined;
}
