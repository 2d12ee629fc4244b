import { z } from 'zod';
import { fields } from '../../api/index.ts';
import { DecodeError } from '../../wire/decode-error.ts';
import { checkLabels } from '../../wire/pyroscope/labels.ts';
import { patternProblem } from './pattern.ts';

const pattern = () =>
  z.string().superRefine((text, context) => {
    const message = patternProblem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

export const Config = z
  .strictObject({
    include: z
      .array(pattern())
      .min(1)
      .describe(
        'Files to read: globs with `*`, `?`, `[a-z]`, `{jfr,pprof}`, and `**` for folders of any depth. `{name}` is like `*`, and what it stands for is the label `name`.',
      ),
    exclude: z
      .array(pattern())
      .default([])
      .describe('Files to leave alone, also globs; one without a `/` is matched against the name in whatever folder.'),
    exclude_older_than: fields
      .duration()
      .prefault('0')
      .describe('Leave files alone that were last written before this long; 0 reads them all.'),
    mode: z
      .enum(['follow', 'once'])
      .default('follow')
      .describe(
        '`once` reads the files that are there at start and then rests; `follow` goes on with those that appear.',
      ),
    start_at: z
      .enum(['beginning', 'end'])
      .default('beginning')
      .describe(
        'Whether files are read that are there at start, or only those that come (`end`; the default of the Collector).',
      ),
    poll_interval: fields
      .duration()
      .prefault('1s')
      .describe('How often to look. A file is read when it did not change between two looks.'),
    delete_after_read: z
      .boolean()
      .default(false)
      .describe('Delete a file once the pipeline has accepted it; what was rejected stays.'),
    labels: z
      .record(z.string(), z.string())
      .superRefine((labels, context) => {
        try {
          checkLabels(Object.entries(labels), Number.POSITIVE_INFINITY);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
          context.addIssue({ code: 'custom', message: error.message });
        }
      })
      .default({})
      .describe('Labels of every profile, where neither the path nor the file itself says otherwise.'),
    storage: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Id of a file_storage extension: which files were read is remembered in its folder. Unset forgets it with the process.',
      ),
    max_file_size: fields.bytes().prefault('64MiB').describe('Longest file, as it lies on disk.'),
    max_inflated_size: fields
      .bytes()
      .prefault('64MiB')
      .describe('Longest file once it is inflated; beyond 1 MiB also at most 200 times its size.'),
    max_concurrent_files: z.int().min(1).max(1000).default(4).describe('Files to read at a time.'),
  })
  .refine(c => c.poll_interval >= 10, { error: 'must be at least 10ms', path: ['poll_interval'] })
  .refine(c => c.max_file_size >= 1, { error: 'must be at least 1 byte', path: ['max_file_size'] })
  .refine(c => c.mode !== 'once' || c.start_at !== 'end', {
    error: '`end` reads nothing of what is there, and `mode: once` reads nothing else',
    path: ['start_at'],
  })
  .refine(c => !c.delete_after_read || c.start_at !== 'end', {
    error: 'delete_after_read needs `beginning`: what is there at start would never be read, nor deleted',
    path: ['start_at'],
  });
export type Config = z.output<typeof Config>;
