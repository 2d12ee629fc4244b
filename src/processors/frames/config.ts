import { z } from 'zod';
import { regexProblem, replacementProblem } from '../../wire/regex.ts';

const Rule = z
  .strictObject({
    action: z
      .enum(['drop', 'rename', 'redact', 'collapse'])
      .describe(
        '`drop` takes frames out of stacks, `rename` rewrites the matched field, `redact` hides what a frame is, `collapse` makes one frame of a run of them.',
      ),
    match: z
      .string()
      .superRefine((pattern, context) => {
        const message = regexProblem(pattern);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .describe('RE2, searched for anywhere in the field: write ^ and $ to anchor it.'),
    field: z
      .enum(['function', 'file', 'mapping'])
      .default('function')
      .describe('What is matched: name of the function, its source file, or file of the mapping (binary or library).'),
    replacement: z.string().optional().describe('What `rename` writes for each match, with $1 and ${name} for groups.'),
    name: z
      .string()
      .min(1)
      .optional()
      .describe('Name of the frame that `collapse` makes, or text that `redact` writes (`redacted`).'),
    hash: z
      .boolean()
      .optional()
      .describe('`redact` writes digests in place of one text, so that frames can still be told apart.'),
  })
  .superRefine(({ action, match, replacement, name, hash }, context) => {
    const say = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (action === 'rename' && replacement === undefined) say('replacement', 'rename needs a replacement');
    if (action !== 'rename' && replacement !== undefined) say('replacement', `${action} takes no replacement`);
    if (action === 'collapse' && name === undefined) say('name', 'collapse needs the name of the new frame');
    if ((action === 'drop' || action === 'rename') && name !== undefined) say('name', `${action} takes no name`);
    if (action !== 'redact' && hash !== undefined) say('hash', `${action} takes no hash`);
    if (hash === true && name !== undefined) say('name', 'give either name or hash');
    if (replacement === undefined || regexProblem(match) !== undefined) return;
    const problem = replacementProblem(match, replacement);
    if (problem !== undefined) say('replacement', problem);
  });

export const Config = z.strictObject({
  rules: z.array(Rule).min(1).describe('What to do, in this order: each rule sees what the ones before it left.'),
  other: z
    .string()
    .min(1)
    .default('other')
    .describe('Name of the frame that takes the value of a stack all of whose frames were dropped.'),
  hash_salt: z
    .string()
    .min(1)
    .meta({ writeOnly: true })
    .optional()
    .describe('Key of the digests of `redact`. Without it, whoever can guess a name can check the guess.'),
});
export type Config = z.output<typeof Config>;
export type Rule = Config['rules'][number];
