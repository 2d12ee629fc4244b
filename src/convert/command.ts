// `flamegate convert | inspect | diff`: files of profiles, without a gateway.
import { plain } from '../terminal.ts';
import { convert } from './convert.ts';
import { diff } from './diff.ts';
import { inspect } from './inspect.ts';
import type { ProfileOptions, Speaker } from './options.ts';
import { Refusal } from './refusal.ts';

export type ProfileVerb = 'convert' | 'inspect' | 'diff';

const VERBS = { convert, inspect, diff };

/** Does one verb; resolves with the exit code. */
export async function profileCommand(verb: ProfileVerb, options: ProfileOptions, say: Speaker): Promise<number> {
  // Each message is one line, and may hold names out of a file.
  const careful: Speaker = { out: text => say.out(text), err: text => say.err(`${plain(text.trimEnd())}\n`) };
  try {
    return await VERBS[verb](options, careful);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    careful.err(`flamegate: ${error.message}`);
    return error.code;
  }
}
