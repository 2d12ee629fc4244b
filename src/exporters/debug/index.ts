import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { DebugExporter } from './exporter.ts';

export default exporter({
  type: 'debug',
  summary: 'Prints one line per profile or trace request.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles', 'traces'],
  create: (config, host) => new DebugExporter(config, host),
});
