import { basename } from 'node:path/posix';
import { type TextLines, trimBlanks, utf8 } from '../text-lines.ts';
import type { AddressSamples } from './address-samples.ts';
import { address } from './text.ts';

const NAME = /^0x([0-9a-fA-F]+)[ \t]+(.*)$/;
const IN_FILE = /^(.*)[ \t]\((.+):(-?[0-9]{1,9})\)$/;
const IN_LIBRARY = /^(.*)[ \t]\((.*)\)$/;

/** What the numbers of Java frames stand for, from the line at hand on: `0x1f com.example.Shop.sell (Shop.java:12)`; other lines are passed over. */
export function readJavaNames(lines: TextLines, samples: AddressSamples): void {
  do {
    const [, hex, what] = NAME.exec(trimBlanks(lines.text)) ?? [];
    if (hex === undefined) continue;
    const frame = address(hex, lines);
    if (samples.has(frame)) samples.symbol(frame, symbolOf(what!));
  } while (lines.next());
}

function symbolOf(what: string): { name: string; file: string; line: bigint } {
  const [, name, file, line] = IN_FILE.exec(what) ?? [];
  if (name !== undefined)
    return { name: utf8(trimBlanks(name)), file: utf8(file!), line: BigInt(Math.max(0, Number(line))) };
  const [, called, library] = IN_LIBRARY.exec(what) ?? [];
  if (called !== undefined) return { name: utf8(trimBlanks(called)), file: basename(utf8(library!)), line: 0n };
  return { name: what.includes('generated stub/JIT') ? 'STUB' : utf8(what), file: '', line: 0n };
}
