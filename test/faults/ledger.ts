// Who said what: every profile has a number; an acknowledgement is an obligation.
import { createHash } from 'node:crypto';
import type { FakeStore } from '../kit/store.ts';

export interface Verdict {
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledged and not at the store. */
  readonly lost: number[];
  /** At the store, never sent. */
  readonly invented: number[];
  /** At the store with other bytes than were sent. */
  readonly altered: number[];
  /** At the store more than once: what was in flight when something broke may be. */
  readonly doubled: number[];
}

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

export class Ledger {
  readonly #sent = new Map<number, string>();
  readonly #acknowledged = new Set<number>();
  #last = 0;

  /** The next number. */
  next(): number {
    return ++this.#last;
  }
  sent(number: number, body: Buffer): void {
    this.#sent.set(number, hashOf(body));
  }
  acknowledged(number: number): void {
    this.#acknowledged.add(number);
  }

  /** Profiles are told apart by the label `n` of their name. */
  verdict(store: FakeStore): Verdict {
    const seen = new Map<number, number>();
    const altered: number[] = [];
    for (const { query, body } of store.deliveries) {
      const number = Number(/n%3D(\d+)/.exec(query)?.[1]);
      seen.set(number, (seen.get(number) ?? 0) + 1);
      if (this.#sent.has(number) && hashOf(body) !== this.#sent.get(number)) altered.push(number);
    }
    return {
      sent: this.#sent.size,
      acknowledged: this.#acknowledged.size,
      lost: [...this.#acknowledged].filter(number => !seen.has(number)),
      invented: [...seen.keys()].filter(number => !this.#sent.has(number)),
      altered,
      doubled: [...seen].flatMap(([number, times]) => (times > 1 ? [number] : [])),
    };
  }
}
