// `flamegate convert | inspect | diff`: files of profiles, without a gateway.
import { convert } from './convert.ts';
import { diff } from './diff.ts';
import { inspect } from './inspect.ts';
import type { ProfileOptions, Speaker } from './options.ts';
import { Refusal } from './refusal.ts';

export type ProfileVerb = 'convert' | 'inspect' | 'diff';

const VERBS = { convert, inspect, diff };

/** Does one verb; resolves with the exit code. */
export async function profileCommand(verb: ProfileVerb, options: ProfileOptions, say: Speaker): Promise<number> {
  try {
    return await VERBS[verb](options, say);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say.err(`flamegate: ${error.message}\n`);
    return error.code;
  }
}
