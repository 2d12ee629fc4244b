import { exporter } from '../../api/index.ts';
import { Config } from './config.ts';
import { OtlpExporter } from './exporter.ts';

export default exporter({
  type: 'otlp',
  summary: 'Delivers profiles and traces by OTLP over gRPC.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles', 'traces'],
  takes: () => ({ forms: ['otlp'] }),
  create: (config, host) => new OtlpExporter(config, host),
});
