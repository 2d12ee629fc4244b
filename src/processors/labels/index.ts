import { stage } from '../../api/index.ts';
import { Config } from './config.ts';

export default stage({
  type: 'labels',
  summary: 'Sets, deletes, renames and hashes the labels of samples.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  // What should be hidden must not pass unseen.
  undecodable: ({ actions }) => (actions.some(({ action }) => action === 'hash') ? 'drop' : 'pass'),
});
