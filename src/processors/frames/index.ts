import { stage } from '../../api/index.ts';
import { Config } from './config.ts';

export default stage({
  type: 'frames',
  summary: 'Drops, renames, redacts and collapses frames of stacks; totals stay.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  // The other actions tidy up.
  hides: ({ rules }) => rules.some(({ action }) => action === 'redact'),
});
