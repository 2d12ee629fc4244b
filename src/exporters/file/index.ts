import { exporter } from '../../api/index.ts';
import { FORMS } from '../../model/payload.ts';
import { Config } from './config.ts';
import { FileExporter } from './exporter.ts';

/** `groups` is folded text in which each line ends in its count. */
const WRITTEN = {
  pprof: 'pprof',
  otlp: 'otlp',
  otlp_json: 'otlp',
  folded: 'groups',
  speedscope: 'speedscope',
} as const;

export default exporter({
  type: 'file',
  summary: 'Writes each profile to a file of its own, and keeps the folder within bounds.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  takes: ({ format }) => ({ forms: format === undefined ? FORMS : [WRITTEN[format]] }),
  create: (config, host) => new FileExporter(config, host),
});
