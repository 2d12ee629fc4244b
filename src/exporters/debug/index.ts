import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { DebugExporter } from './exporter.ts';

export default exporter({
  type: 'debug',
  summary: 'Prints one line per profile.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  create: (config, host) => new DebugExporter(config, host),
});
