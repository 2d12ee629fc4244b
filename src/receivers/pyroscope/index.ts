import { receiver } from '../../api/index.ts';
import { Config } from './config.ts';
import { createReceiver } from './receiver.ts';

export default receiver({
  type: 'pyroscope',
  summary: 'Takes what Pyroscope SDKs and agents push: /ingest and push.v1.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  emits: ['profiles'],
  create: createReceiver,
});
