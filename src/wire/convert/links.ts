import type { Columns } from '../../model/columns/columns.ts';
import { SPAN_ID_BYTES, TRACE_ID_BYTES } from '../../model/columns/links.ts';
import { OtlpFields } from '../../model/columns/otlp-fields.ts';
import type { Losses } from './losses.ts';

// Which span a sample belongs to: a link in OTLP, two labels in pprof (Pyroscope's names for them).

const TRACE_ID = 'trace_id';
const SPAN_ID = 'span_id';
/** Above every row of strings, so that two rows fit into one number. */
const ROWS = 2 ** 26;

/**
 * Makes a link of the labels of a sample that has one of each, lower-case hex and not zero: then the labels can be told from the link
 * again, byte by byte. A span alone stays a label, since a link without a trace is none.
 */
export function labelsToLinks(columns: Columns): void {
  const traceKey = columns.labelKey(TRACE_ID);
  const spanKey = traceKey < 0 ? -1 : columns.labelKey(SPAN_ID);
  if (traceKey < 0 || spanKey < 0) return;
  const { samples, labels, strings } = columns;
  const otlp = new OtlpFields();
  otlp.ensureSamples(samples.count);
  const known = new Map<number, number>();
  for (let sample = 0; sample < samples.count; sample++) {
    const trace = onlyId(columns, sample, traceKey, 2 * TRACE_ID_BYTES);
    const span = trace === 0 ? 0 : onlyId(columns, sample, spanKey, 2 * SPAN_ID_BYTES);
    if (span === 0) continue;
    const pair = labels.text[trace]! * ROWS + labels.text[span]!;
    let link = known.get(pair);
    if (link === undefined) {
      link = otlp.links.add();
      otlp.links.traceId(link).set(Buffer.from(strings.text(labels.text[trace]!), 'hex'));
      otlp.links.spanId(link).set(Buffer.from(strings.text(labels.text[span]!), 'hex'));
      known.set(pair, link);
    }
    otlp.link[sample] = link;
    columns.removeLabels(sample, label => label === trace || label === span);
  }
  if (known.size > 0) columns.otlp = otlp;
}

/** The label of this key, where there is one and it is an id of so many hex digits; else 0. */
function onlyId({ samples, labels, strings }: Columns, sample: number, key: number, digits: number): number {
  let found = 0;
  for (let label = samples.firstLabel[sample]!; label !== 0; label = labels.next[label]!) {
    if (labels.key[label] !== key) continue;
    if (found !== 0) return 0;
    found = label;
  }
  if (found === 0) return 0;
  const text = labels.text[found]!;
  if (strings.byteLength(text) !== digits || !labels.isText(found, text)) return 0;
  const bytes = strings.bytes(text);
  let isZero = true;
  for (let at = 0; at < digits; at++) {
    const digit = bytes[at]!;
    if (!((digit >= 0x30 && digit <= 0x39) || (digit >= 0x61 && digit <= 0x66))) return 0;
    isZero &&= digit === 0x30;
  }
  return isZero ? 0 : found;
}

/** Makes labels of links, where the sample has none of these names. An id of zeros is none. */
export function linksToLabels(columns: Columns, losses: Losses): void {
  const { otlp, samples, strings } = columns;
  if (!otlp || otlp.links.count === 1) return;
  const keyOf = (text: string) => {
    const row = columns.labelKey(text);
    return row < 0 ? strings.append(text) : row;
  };
  const keys = [keyOf(TRACE_ID), keyOf(SPAN_ID)] as const;
  const { links } = otlp;
  /** Rows of strings by link, 0 for none: trace and span in turns. */
  const texts = new Uint32Array(2 * links.count);
  for (let link = 1; link < links.count; link++)
    for (const [place, id] of [links.traceId(link), links.spanId(link)].entries())
      if (id.some(byte => byte !== 0)) texts[2 * link + place] = strings.append(Buffer.from(id).toString('hex'));
  for (let sample = 0; sample < samples.count; sample++) {
    const link = otlp.link[sample]!;
    if (link === 0) continue;
    let lost = false;
    for (const [place, key] of keys.entries()) {
      const text = texts[2 * link + place]!;
      if (text === 0) continue;
      if (columns.findLabel(sample, key) === 0) columns.setLabel(sample, key, text);
      else lost = true;
    }
    if (lost) losses.add('otlp_link');
  }
}
