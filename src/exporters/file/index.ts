import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { FileExporter } from './exporter.ts';

const AS_THEY_COME = ['jfr', 'groups', 'lines', 'tree', 'trie', 'speedscope'] as const;
const BOTH = ['pprof', 'otlp'] as const;
const FORMS = { pprof: 'pprof', otlp: 'otlp', otlp_json: 'otlp' } as const;

export default exporter({
  type: 'file',
  summary: 'Writes each profile to a file of its own, and keeps the folder within bounds.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  takes: ({ format }) => ({ forms: [...AS_THEY_COME, ...(format === undefined ? BOTH : [FORMS[format]])] }),
  create: (config, host) => new FileExporter(config, host),
});
