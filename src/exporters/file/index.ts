import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { FileExporter } from './exporter.ts';

export default exporter({
  type: 'file',
  summary: 'Writes each profile to a file of its own, and keeps the folder within bounds.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  create: (config, host) => new FileExporter(config, host),
});
