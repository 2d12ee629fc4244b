import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { goesAsItCame } from './door.ts';
import { PyroscopeExporter } from './exporter.ts';

export default exporter({
  type: 'pyroscope',
  summary: 'Delivers to Pyroscope, or anything that takes /ingest or push.v1.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles'],
  takes: config => ({
    forms: ['pprof'],
    limits: { bytes: config.max_profile_size, samples: config.max_samples },
    asItCame: profile => goesAsItCame(config, profile),
  }),
  create: (config, host) => new PyroscopeExporter(config, host),
});
