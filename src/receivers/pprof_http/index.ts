import { receiver } from '../../api/index.ts';
import { Config } from './config.ts';
import { createReceiver } from './receiver.ts';

export default receiver({
  type: 'pprof_http',
  summary: 'Takes pprof files posted by curl, CI jobs and programs.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  emits: ['profiles'],
  create: createReceiver,
});
