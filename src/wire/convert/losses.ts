import { FORM_LOSSES } from './losses-forms.ts';
import { PPROF_OTLP_LOSSES } from './losses-pprof-otlp.ts';

/** The one table of what conversions lose; `docs/fidelity.md` is made from it. */
export const LOSSES = { ...PPROF_OTLP_LOSSES, ...FORM_LOSSES } as const;

/** snake_case: the label of the counter. */
export type LossReason = keyof typeof LOSSES;

export interface Loss {
  readonly reason: LossReason;
  readonly items: number;
}

/** Counts what a conversion lost. */
export class Losses {
  readonly #items = new Map<LossReason, number>();

  add(reason: LossReason, items = 1): void {
    if (items > 0) this.#items.set(reason, (this.#items.get(reason) ?? 0) + items);
  }

  /** In the order of the table. */
  list(): Loss[] {
    return (Object.keys(LOSSES) as LossReason[]).flatMap(reason => {
      const items = this.#items.get(reason);
      return items === undefined ? [] : [{ reason, items }];
    });
  }
}
