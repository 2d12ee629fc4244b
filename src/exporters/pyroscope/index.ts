import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { PyroscopeExporter } from './exporter.ts';

export default exporter({
  type: 'pyroscope',
  summary: 'Delivers to Pyroscope, or anything that takes /ingest or push.v1.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  // What Pyroscope's own doors brought goes out as it came.
  takes: ({ max_profile_size, max_samples }) => ({
    forms: ['pprof', 'jfr', 'groups', 'lines', 'tree', 'trie', 'speedscope'],
    limits: { bytes: max_profile_size, samples: max_samples },
  }),
  create: (config, host) => new PyroscopeExporter(config, host),
});
