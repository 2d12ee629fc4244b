import { processor } from '../../api/index.ts';
import { Config } from './config.ts';
import { MemoryLimiter } from './processor.ts';

export default processor({
  type: 'memory_limiter',
  summary: 'Bounds the memory of the process: refuses before the heap suffers.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  accepts: ['profiles', 'traces'],
  emits: ['profiles', 'traces'],
  create: (config, host, next) => new MemoryLimiter(config, host, next),
});
