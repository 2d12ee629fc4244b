const MIB = 1024 * 1024;
/** What may be inflated at a time, bytes: two of the longest bodies. More would not end sooner, the cores are busy with these. */
const MAX_RESERVED_BYTES = 128 * MIB;
/** Share of the byte budget that this may be at most; the rest is for what inflating is done for. */
const MAX_BUDGET_SHARE = 0.5;
/** What may wait for its turn, bytes: about ten seconds of two cores; who is told to wait longer gives up before. */
const MAX_WAITING_BYTES = 2048 * MIB;

type Leave = () => void;

interface Waiting {
  readonly size: number;
  readonly must: boolean;
  readonly resolve: (leave: Leave | undefined) => void;
}

/** The pool whose budget is shared. */
export interface Budget {
  usage(): { readonly heldBytes: number; readonly budgetBytes: number };
  /** Counts so many more bytes as held. */
  hold(bytes: number): void;
  /** Has others let go of so many held bytes, if they can. Returns how many they did. */
  makeRoom(bytes: number): number;
}

/** Memory outside of slabs that is needed for a moment, in turns and within the budget. First come, first served. */
export class Reservations {
  readonly #budget: Budget;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #reservedBytes = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  reserve(size: number, must: boolean): Promise<Leave | undefined> {
    const now = this.#waiting.length > 0 ? 'wait' : this.#decide(size, must);
    if (now !== 'wait') return Promise.resolve(now === 'go' ? this.#enter(size) : undefined);
    if (!must && this.#waitingBytes + size > MAX_WAITING_BYTES) return Promise.resolve(undefined);
    this.#waitingBytes += size;
    return new Promise(resolve => this.#waiting.push({ size, must, resolve }));
  }

  /** One that is alone is never told to wait, so that nobody waits in vain. */
  #decide(size: number, must: boolean): 'go' | 'wait' | 'refuse' {
    const { heldBytes, budgetBytes } = this.#budget.usage();
    const alone = this.#reservedBytes === 0;
    const most = Math.min(MAX_RESERVED_BYTES, budgetBytes * MAX_BUDGET_SHARE);
    if (!alone && this.#reservedBytes + size > most) return 'wait';
    if (heldBytes + size <= budgetBytes) return 'go';
    if (!alone) return 'wait';
    const missing = heldBytes + size - budgetBytes;
    return must || this.#budget.makeRoom(missing) >= missing ? 'go' : 'refuse';
  }

  #enter(size: number): Leave {
    this.#reservedBytes += size;
    this.#budget.hold(size);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#reservedBytes -= size;
      this.#budget.hold(-size);
      this.#next();
    };
  }

  #next(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const { size, must, resolve } = first;
      const now = this.#decide(size, must);
      if (now === 'wait') return;
      this.#waiting.shift();
      this.#waitingBytes -= size;
      resolve(now === 'go' ? this.#enter(size) : undefined);
    }
  }
}
