// Small factories with every shape of config that the config room has to deal with. They make nothing: plans are only data.
import { z } from 'zod';
import {
  exporter,
  extension,
  type Factory,
  fields,
  processor,
  receiver,
  type Schema,
  type Signal,
} from '../../../src/api/index.ts';

const base = (type: string) => ({
  type,
  summary: `The ${type} of the tests.`,
  stability: 'beta' as const,
  home: import.meta.url,
});
const unbuilt = (): never => {
  throw new Error('a plan never builds a component');
};
const profiles: readonly Signal[] = ['profiles'];

/** A schema of no known library: the least that Standard Schema asks for, unknown keys as paths, no JSON Schema. */
const bare: Schema<{ level: number }> = {
  '~standard': {
    version: 1,
    vendor: 'bare',
    validate: async value => {
      const level = (value as { level?: unknown }).level;
      if (typeof level === 'number') return { value: { level } };
      return {
        issues: [{ message: level === undefined ? 'is missing' : 'must be a number', path: [{ key: 'level' }] }],
      };
    },
  },
};

export const factories: readonly Factory[] = [
  receiver({
    ...base('self'),
    config: z.strictObject({ interval: fields.duration().prefault('10s').describe('Length of one profile.') }),
    emits: profiles,
    create: unbuilt,
  }),
  receiver({
    ...base('pyroscope'),
    config: z.strictObject({
      ...fields.listen('127.0.0.1:4040'),
      validate: z
        .enum(['full', 'header'])
        .default('full')
        .describe('How much of a body is read before it is acknowledged.'),
    }),
    emits: profiles,
    create: unbuilt,
  }),
  receiver({
    ...base('pprof_http'),
    config: z.strictObject(fields.listen('127.0.0.1:4050')),
    emits: profiles,
    create: unbuilt,
  }),
  receiver({ ...base('spans'), config: z.strictObject({}), emits: ['traces'] as Signal[], create: unbuilt }),
  processor({
    ...base('memory_limiter'),
    config: z.strictObject({ limit_mib: z.int().min(1).describe('Bound of the process, MiB.') }),
    accepts: profiles,
    emits: profiles,
    create: unbuilt,
  }),
  processor({
    ...base('resource'),
    config: z.strictObject({
      attributes: z
        .array(
          z.strictObject({
            key: z.string().describe('Name.'),
            value: z.any().optional().describe('Value.'),
            action: z.enum(['insert', 'update', 'upsert', 'delete']).default('upsert').describe('What to do.'),
          }),
        )
        .default([])
        .describe('Actions in order.'),
    }),
    accepts: profiles,
    emits: profiles,
    create: unbuilt,
  }),
  processor({ ...base('forward'), config: z.strictObject({}), accepts: profiles, emits: profiles, create: unbuilt }),
  processor({
    ...base('count'),
    config: z.strictObject({}),
    accepts: profiles,
    emits: ['metrics'] as Signal[],
    create: unbuilt,
  }),
  processor({
    ...base('hold'),
    config: z.strictObject({ window: fields.duration().prefault('10s').describe('How long.') }),
    holds: true,
    accepts: profiles,
    emits: profiles,
    create: unbuilt,
  }),
  processor({ ...base('bare'), config: bare, accepts: profiles, emits: profiles, create: unbuilt }),
  exporter({
    ...base('pyroscope'),
    config: z.strictObject({
      ...fields.client(),
      protocol: z.enum(['auto', 'push', 'ingest']).default('auto').describe('Door of the store.'),
    }),
    accepts: profiles,
    create: unbuilt,
  }),
  exporter({
    ...base('file'),
    config: z.strictObject({
      path: z.string().describe('Folder.'),
      max_files: z.int().min(1).default(1000).describe('Oldest go first.'),
    }),
    accepts: profiles,
    create: unbuilt,
  }),
  exporter({
    ...base('debug'),
    config: z.strictObject({ detailed: z.boolean().default(false) }),
    accepts: profiles,
    create: unbuilt,
  }),
  exporter({ ...base('numbers'), config: z.strictObject({}), accepts: ['metrics'] as Signal[], create: unbuilt }),
  extension({
    ...base('storage'),
    provides: ['storage'],
    config: z.strictObject({ directory: z.string().default('./state').describe('Folder.') }),
    create: unbuilt,
  }),
];
