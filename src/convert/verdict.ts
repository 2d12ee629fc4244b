import type { Form } from '../model/payload.ts';

/** A chunk's header: magic, two versions of two bytes each, and its size, big-endian. */
const JFR_HEADER_BYTES = 16;

/** What each form is called; the keys are the names of `--from`. */
export const FORM_NAMES: Readonly<Record<Form, string>> = {
  pprof: 'pprof',
  otlp: 'OTLP profiles',
  jfr: 'JFR',
  groups: 'folded text',
  lines: 'folded text, a stack a line',
  tree: 'Pyroscope tree',
  trie: 'Pyroscope trie',
  speedscope: 'speedscope',
  cpuprofile: 'V8 CPU profile',
  heapprofile: 'V8 heap profile',
  perf: 'perf script',
  legacy: 'legacy pprof',
};

/**
 * What a file is, in its own terms.
 * @param raw that was read without an error
 */
export function verdictOf(form: Exclude<Form, 'otlp'>, raw: Uint8Array): string {
  if (form !== 'jfr') return FORM_NAMES[form];
  const { versions, chunks } = jfrChunks(raw);
  return `${FORM_NAMES.jfr} ${versions.join(' and ')}, ${chunks} ${chunks === 1 ? 'chunk' : 'chunks'}`;
}

/** Versions in the order in which they come. Chunks follow each other; the header tells how long one is. */
function jfrChunks(raw: Uint8Array): { readonly versions: readonly string[]; readonly chunks: number } {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  const versions = new Set<string>();
  let chunks = 0;
  for (let at = 0; raw.length - at >= JFR_HEADER_BYTES; chunks++) {
    versions.add(`${view.getUint16(at + 4)}.${view.getUint16(at + 6)}`);
    const size = Number(view.getBigUint64(at + 8));
    // One that is still being written says 0.
    at += size < JFR_HEADER_BYTES ? raw.length : size;
  }
  return { versions: [...versions], chunks };
}
