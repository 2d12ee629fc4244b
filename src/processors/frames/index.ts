import { stage } from '../../api/index.ts';
import { Config } from './config.ts';

export default stage({
  type: 'frames',
  summary: 'Drops, renames, redacts and collapses frames of stacks; totals stay.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  // What should be hidden must not pass unseen; the other actions tidy up.
  undecodable: ({ undecodable, rules }) =>
    undecodable ?? (rules.some(({ action }) => action === 'redact') ? 'drop' : 'pass'),
});
