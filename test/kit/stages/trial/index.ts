// A stage for tests, also loaded as a plugin: does what the attribute `trial` of a profile says, and notes what it is told to.
import { type Plain, stage } from 'flamegate/api';
import { z } from 'zod';

/** Notes that owners heard, in this process. */
export const heard: Plain[] = [];

export default stage({
  type: 'trial',
  summary: 'Does to a worker what a profile asks for.',
  stability: 'alpha',
  home: import.meta.url,
  config: z.strictObject({
    mark: z.string().default('').describe('Attribute `mark` to set.'),
    edit: z.boolean().default(false).describe('Say that samples were edited.'),
    note: z.string().default('').describe('Attribute whose value is noted.'),
  }),
  owner: (_config, host) => {
    const counter = host.metrics.counter('flamegate_trial_notes_total', { help: 'Notes that were heard.' });
    return {
      note(notes) {
        heard.push(...notes);
        counter.record(notes.length);
      },
    };
  },
});
