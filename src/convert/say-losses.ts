import { LOSSES, type Losses } from '../wire/convert/losses.ts';
import type { Speaker } from './options.ts';

/** What was lost in reading and in writing; docs/fidelity.md. */
export function sayLosses(losses: Losses, say: Speaker): void {
  for (const { reason, items } of losses.list()) {
    const { item, sentence } = LOSSES[reason];
    say.err(`flamegate: lost ${items} × ${item} (${reason}): ${sentence}\n`);
  }
}
