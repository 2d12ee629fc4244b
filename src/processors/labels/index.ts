import { stage } from '../../api/index.ts';
import { Config } from './config.ts';

export default stage({
  type: 'labels',
  summary: 'Sets, deletes, renames and hashes the labels of samples.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  // A label that is deleted is hidden too.
  hides: ({ actions }) => actions.some(({ action }) => action === 'hash' || action === 'delete'),
});
