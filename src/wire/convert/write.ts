// Columns in each form that can be written.
import type { Columns } from '../../model/columns/columns.ts';
import { encodeFolded, type FoldedEncodeOptions } from '../folded/encode.ts';
import { encodePprof } from '../pprof/encode.ts';
import { encodeSpeedscope, type SpeedscopeSource } from '../speedscope/encode.ts';
import { linksToLabels } from './links.ts';
import type { Losses } from './losses.ts';
import { countOtlp } from './otlp-losses.ts';

/** Columns that came as anything as pprof. They are changed: what pprof has no place for goes. A view on scratch memory. */
export function writePprof(columns: Columns, losses: Losses): Uint8Array {
  if (columns.otlp) {
    toLabels(columns, losses);
    // So that strings of what is lost do not stay in the table.
    columns.edited = true;
  }
  return encodePprof(columns);
}

/** One sample type as folded text of either kind. */
export function writeFolded(columns: Columns, options: FoldedEncodeOptions, losses: Losses): Uint8Array {
  toLabels(columns, losses);
  return encodeFolded(columns, options, losses);
}

export function writeSpeedscope(sources: readonly SpeedscopeSource[], losses: Losses): Uint8Array {
  for (const { columns } of sources) toLabels(columns, losses);
  return encodeSpeedscope(sources, losses);
}

/** What only OTLP says becomes labels, or is counted. */
export function toLabels(columns: Columns, losses: Losses): void {
  if (!columns.otlp) return;
  countOtlp(columns, columns.otlp, losses);
  linksToLabels(columns, losses);
}
