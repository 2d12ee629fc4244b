import type { Profile } from '../../api/index.ts';
import { buildMultipart } from '../../wire/multipart.ts';
import { IngestQuery, ingestForm } from '../../wire/pyroscope/ingest.ts';

export interface Upload {
  readonly contentType: string;
  readonly chunks: readonly Uint8Array[];
}

/**
 * The body of one profile for /ingest: raw where it came raw, a form where it came as one. Payload and parts go out byte for byte.
 * Stores look only at file parts, hence the file names.
 */
export function ingestBody({ payload, origin }: Profile, query: string): Upload {
  const parts = origin?.parts ?? {};
  if (origin?.contentType !== undefined) return { contentType: origin.contentType, chunks: [payload.bytes] };
  const raw: Upload = { contentType: rawType(payload.form), chunks: [payload.bytes] };
  if (origin?.parts === undefined || (payload.form !== 'jfr' && payload.form !== 'pprof')) return raw;
  const { format } = new IngestQuery(query);
  // A store reads `format=pprof` as a raw body whatever the content type says; the part that it would miss names types only.
  if (format === 'pprof') return raw;
  // Should the query alone make the store expect something else than a form, the bytes would be misread.
  if (!ingestForm(format, 'multipart/form-data').multipart) return raw;
  const name = payload.form === 'jfr' ? 'jfr' : 'profile';
  const files = [
    {
      name,
      filename: payload.form === 'jfr' ? 'jfr' : 'profile.pprof',
      contentType: 'application/octet-stream',
      data: payload.bytes,
    },
  ];
  for (const [part, data] of Object.entries(parts))
    files.push({
      name: part,
      filename: part,
      contentType: part === 'sample_type_config' ? 'application/json' : 'application/x-protobuf',
      data,
    });
  return buildMultipart(files);
}

function rawType(form: Profile['payload']['form']): string {
  if (form === 'speedscope') return 'application/json';
  return form === 'groups' || form === 'lines' ? 'text/plain' : 'application/octet-stream';
}
