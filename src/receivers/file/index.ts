import { receiver } from '../../api/index.ts';
import { Config } from './config.ts';
import { FileReceiver } from './receiver.ts';

export default receiver({
  type: 'file',
  summary: 'Reads profiles of any form from files, once or as they appear in a folder.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  emits: ['profiles'],
  create: (config, host, next) => new FileReceiver(config, host, next),
});
