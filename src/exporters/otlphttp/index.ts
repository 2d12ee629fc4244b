import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { OtlpHttpExporter } from './exporter.ts';

export default exporter({
  type: 'otlphttp',
  summary: 'Delivers profiles and traces by OTLP over HTTP.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles', 'traces'],
  takes: () => ({ forms: ['otlp'] }),
  lacks: (config, signal) =>
    (config.endpoint ?? config[`${signal}_endpoint`]) ? undefined : `set endpoint or ${signal}_endpoint`,
  create: (config, host) => new OtlpHttpExporter(config, host),
});
