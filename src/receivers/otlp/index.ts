import { receiver } from '../../api/index.ts';
import { Config } from './config.ts';
import { createReceiver } from './receiver.ts';

export default receiver({
  type: 'otlp',
  summary: 'Takes profiles and traces over OTLP: gRPC, and HTTP with protobuf or JSON.',
  stability: 'beta',
  home: import.meta.url,
  config: Config,
  emits: ['profiles', 'traces'],
  create: createReceiver,
});
