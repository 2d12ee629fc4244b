import { z } from 'zod';
import { regexProblem } from '../../wire/regex.ts';

const Action = z
  .strictObject({
    action: z
      .enum(['set', 'delete', 'rename', 'hash'])
      .describe(
        '`set` gives every sample this label, `delete` takes it away, `rename` gives it another key, `hash` puts a digest in place of its value.',
      ),
    key: z.string().min(1).describe('Key of the label.'),
    value: z.string().optional().describe('New value; for `set` only.'),
    to: z.string().min(1).optional().describe('New key; for `rename` only. A label that has it already is replaced.'),
    match: z
      .string()
      .superRefine((pattern, context) => {
        const message = regexProblem(pattern);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .optional()
      .describe(
        'Only labels whose value matches this RE2, anywhere in it; numbers as decimal text. `set` then replaces values and adds none.',
      ),
  })
  .superRefine(({ action, value, to }, context) => {
    const say = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (action === 'set' && value === undefined) say('value', 'set needs a value');
    if (action !== 'set' && value !== undefined) say('value', `${action} takes no value`);
    if (action === 'rename' && to === undefined) say('to', 'rename needs the new key in `to`');
    if (action !== 'rename' && to !== undefined) say('to', `${action} takes no \`to\``);
  });

export const Config = z.strictObject({
  actions: z.array(Action).min(1).describe('What to do, in this order.'),
  hash_salt: z
    .string()
    .min(1)
    .meta({ writeOnly: true })
    .optional()
    .describe('Key of the digests of `hash`. Without it, whoever can guess a value can check the guess.'),
});
export type Config = z.output<typeof Config>;
export type Action = Config['actions'][number];
