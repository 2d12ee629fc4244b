import { extension, type QueueStorage } from '../../api/index.ts';
import { Config } from './config.ts';
import { FileStorage } from './extension.ts';

export default extension({
  type: 'file_storage',
  summary: 'Keeps queues in a file, so that what was acknowledged survives the process.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  provides: ['storage'],
  create: (config): QueueStorage => new FileStorage(config),
});
