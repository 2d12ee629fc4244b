import { processor } from '../../api/index.ts';
import { Config } from './config.ts';
import { ResourceProcessor } from './processor.ts';

export default processor({
  type: 'resource',
  summary: 'Inserts, updates and deletes attributes of profiles.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  emits: ['profiles'],
  create: (config, _host, next) => new ResourceProcessor(config, next),
});
