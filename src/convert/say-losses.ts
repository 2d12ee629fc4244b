import { LOSSES, type Losses } from '../wire/convert/losses.ts';
import type { Speaker } from './options.ts';

/** What the form that was written has no place for; docs/fidelity.md. */
export function sayLosses(losses: Losses, say: Speaker): void {
  for (const { reason, items } of losses.list()) {
    const { item, sentence } = LOSSES[reason];
    say.err(`flamegate: lost ${items} × ${item} (${reason}): ${sentence}\n`);
  }
}
