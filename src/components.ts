// THE LIST: every built-in component, one line each. Adding one = its folder + its line here (CONTRIBUTING.md shows it).
import type { Factory } from './api/index.ts';
import debug from './exporters/debug/index.ts';
import file from './exporters/file/index.ts';
import otlp from './exporters/otlp/index.ts';
import otlphttp from './exporters/otlphttp/index.ts';
import pyroscopeExporter from './exporters/pyroscope/index.ts';
import fileStorage from './extensions/file_storage/index.ts';
import frames from './processors/frames/index.ts';
import labels from './processors/labels/index.ts';
import memoryLimiter from './processors/memory_limiter/index.ts';
import resource from './processors/resource/index.ts';
import fileReceiver from './receivers/file/index.ts';
import otlpReceiver from './receivers/otlp/index.ts';
import pprofHttp from './receivers/pprof_http/index.ts';
import pyroscopeReceiver from './receivers/pyroscope/index.ts';
import self from './receivers/self/index.ts';

export const components: readonly Factory[] = [
  // receivers
  fileReceiver,
  otlpReceiver,
  pprofHttp,
  pyroscopeReceiver,
  self,
  // processors
  frames,
  labels,
  memoryLimiter,
  resource,
  // exporters
  debug,
  file,
  otlp,
  otlphttp,
  pyroscopeExporter,
  // extensions
  fileStorage,
];
