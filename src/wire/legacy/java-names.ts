import { basename } from 'node:path/posix';
import { type TextLines, trimBlanks, utf8 } from '../text-lines.ts';
import type { AddressName, AddressSamples } from './address-samples.ts';
import { address } from './text.ts';

const NAME = /^0x([0-9a-fA-F]+)[ \t]+(.*)$/;
const FILE_AND_LINE = /^(.+):(-?[0-9]{1,9})$/;

/** What the numbers of Java frames stand for, from the line at hand on: `0x1f com.example.Shop.sell (Shop.java:12)`; other lines are passed over. */
export function readJavaNames(lines: TextLines, samples: AddressSamples): void {
  do {
    const [, hex, what] = NAME.exec(trimBlanks(lines.text)) ?? [];
    if (hex === undefined) continue;
    const frame = address(hex, lines);
    if (samples.has(frame)) samples.symbol(frame, [symbolOf(what!)]);
  } while (lines.next());
}

function symbolOf(what: string): AddressName {
  const open = what.endsWith(')') ? Math.max(what.lastIndexOf(' ('), what.lastIndexOf('\t(')) : -1;
  if (open < 0) return { name: what.includes('generated stub/JIT') ? 'STUB' : utf8(what), file: '', line: 0n };
  const name = utf8(trimBlanks(what.slice(0, open)));
  const place = what.slice(open + 2, -1);
  const [, file, line] = FILE_AND_LINE.exec(place) ?? [];
  if (file !== undefined) return { name, file: utf8(file), line: BigInt(Math.max(0, Number(line))) };
  // A library, of which the folder says nothing.
  return { name, file: basename(utf8(place)), line: 0n };
}
