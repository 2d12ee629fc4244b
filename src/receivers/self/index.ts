import { receiver } from '../../api/index.ts';
import { Config } from './config.ts';
import { SelfReceiver } from './receiver.ts';

export default receiver({
  type: 'self',
  summary: "flamegate's own CPU and heap profile.",
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  emits: ['profiles'],
  create: (config, host, next) => new SelfReceiver(config, host, next),
});
