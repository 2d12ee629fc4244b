import { DecodeError } from '../decode-error.ts';
import { type TextLines, trimBlanks, utf8 } from '../text-lines.ts';

/** A range of addresses that a file was loaded at. */
export interface Mapped {
  start: bigint;
  limit: bigint;
  offset: bigint;
  file: string;
  buildId: string;
}

/** A longer line is none of a memory map; it also bounds what `$name` may grow to. */
const MAX_LINE = 4096;
const MAX_NAMES = 64;
/** Longest name, characters, and how often one may be looked for: each time costs as much as all names are long. */
const MAX_NAME = 64;
const MAX_LOOKS = 100_000;
/** Linux allows 65 530 unless told otherwise. */
const MAX_RANGES = 100_000;
const RANGE = '^[ \\t]*(?:0x)?([0-9a-fA-F]+)[ \\t-][ \\t]*(?:0x)?([0-9a-fA-F]+):?(?:[ \\t]+([-rwxps]+)(?=[ \\t]|$))?';
/** As in /proc/<pid>/maps: range, permissions, offset, device, inode, file. */
const PROC = new RegExp(
  `${RANGE}(?:[ \\t]+([0-9a-fA-F]+))?[ \\t]+[0-9a-fA-F]+:[0-9a-fA-F]+[ \\t]+[0-9]+(?:[ \\t]+([^ \\t]+))?`,
);
/** Range, file, offset as `(@ff00)`, build id. */
const BRIEF = new RegExp(`${RANGE}(?:[ \\t]+([^ \\t]+))?(?:[ \\t]+\\(@([0-9a-fA-F]+)\\))?(?:[ \\t]+([0-9a-fA-F]+))?`);
/** What a logging library puts in front of a line. */
const LOGGED = /^[^[\]]+:[0-9]+\][ \t]/;
const LIBRARY = /[.]so$|[.]so[._][0-9]+/;

/**
 * Reads the memory map that the lines stand in front of, to the end of the text. Lines like `build=/home/me` give a name to be replaced as
 * `$build` later on; others that are no range are passed over, and so is memory without code (google/pprof, profile/legacy_profile.go).
 * @throws DecodeError too_many_elements
 */
export function readMemoryMap(lines: TextLines): Mapped[] {
  const table: Mapped[] = [];
  const names: [name: string, value: string][] = [];
  let looks = 0;
  while (lines.next()) {
    if (lines.text.length > MAX_LINE) continue;
    if (names.length > 0) looks += countOf(lines.text, '$');
    if (looks > MAX_LOOKS)
      throw new DecodeError('too_many_elements', `a memory map has more than ${MAX_LOOKS} names to replace`);
    const line = replaced(lines.text.replace(LOGGED, ''), names);
    if (line === undefined) continue;
    const entry = entryOf(line);
    if (entry) {
      if (entry !== 'data') table.push(entry);
      if (table.length > MAX_RANGES)
        throw new DecodeError('too_many_elements', `a memory map has more than ${MAX_RANGES} ranges`);
      continue;
    }
    const equals = line.indexOf('=');
    if (equals < 0 || names.length === MAX_NAMES) continue;
    const name = trimBlanks(line.slice(0, equals));
    if (name.length <= MAX_NAME) names.push([`$${name}`, trimBlanks(line.slice(equals + 1))]);
  }
  return massaged(table);
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count++;
  return count;
}

/** Undefined where it would become too long. */
function replaced(line: string, names: readonly (readonly [string, string])[]): string | undefined {
  if (names.length === 0 || !line.includes('$')) return line;
  let text = '';
  for (let at = 0; at < line.length; ) {
    const named = line[at] === '$' ? names.find(([name]) => line.startsWith(name, at)) : undefined;
    text += named ? named[1] : line[at]!;
    at += named ? named[0].length : 1;
    if (text.length > MAX_LINE) return undefined;
  }
  return text;
}

function entryOf(line: string): Mapped | 'data' | undefined {
  const proc = PROC.exec(line);
  const brief = proc ? undefined : BRIEF.exec(line);
  const [, start, limit, permissions] = proc ?? brief ?? [];
  if (start === undefined || limit === undefined || start.length > 16 || limit.length > 16) return undefined;
  if (permissions !== undefined && !permissions.includes('x')) return 'data';
  const offset = (proc ? proc[4] : brief![5]) ?? '0';
  if (offset.length > 16) return undefined;
  return {
    start: BigInt(`0x${start}`),
    limit: BigInt(`0x${limit}`),
    offset: BigInt(`0x${offset}`),
    file: utf8((proc ? proc[5] : brief![4]) ?? ''),
    buildId: (proc ? undefined : brief![6]) ?? '',
  };
}

/** Joins neighbours of one file, and puts the main program first: that which is no library. */
function massaged(table: Mapped[]): Mapped[] {
  const joined: Mapped[] = [];
  for (const entry of table) {
    const last = joined.at(-1);
    if (last && continues(last, entry)) {
      last.limit = entry.limit;
      if (entry.file !== '') last.file = entry.file;
      if (entry.buildId !== '') last.buildId = entry.buildId;
    } else joined.push(entry);
  }
  const main = joined.findIndex(({ file }) => {
    const name = file.replaceAll('(deleted)', '').trim();
    return name !== '' && !LIBRARY.test(name) && name[0] !== '[';
  });
  if (main > 0) [joined[0], joined[main]] = [joined[main]!, joined[0]!];
  return withMainAtItsStart(joined);
}

function continues(last: Mapped, next: Mapped): boolean {
  if (last.file !== '' && next.file !== '' && last.file !== next.file) return false;
  if (last.buildId !== '' && next.buildId !== '' && last.buildId !== next.buildId) return false;
  if (last.limit !== next.start) return false;
  return last.offset === 0n || next.offset === 0n || last.offset + (last.limit - last.start) === next.offset;
}

/** Where Linux loads programs that are not position independent. */
const MAIN_START = 0x400000n;

/** Some handlers say the wrong range of a main program whose code was moved to huge pages, or whose first part is another range. */
function withMainAtItsStart(table: Mapped[]): Mapped[] {
  const [first, second] = table;
  if (first?.file.startsWith('/anon_hugepage') && second && first.limit === second.start) table.shift();
  const [main] = table;
  if (main && main.start - main.offset === MAIN_START) {
    main.start = MAIN_START;
    main.offset = 0n;
  }
  return table;
}

/** Finds the first range of a list that holds an address: O(log n) each, after O(n log n). */
export class RangeIndex {
  readonly #bounds: bigint[];
  /** By piece between two bounds: 1 + the index of the range, 0 for none. */
  readonly #owner: Uint32Array;

  /** @param ranges begin and end of each; those of which the end is not behind the begin hold nothing */
  constructor(ranges: readonly (readonly [bigint, bigint])[]) {
    const bounds = [...new Set(ranges.flat())].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
    this.#bounds = bounds;
    this.#owner = new Uint32Array(bounds.length);
    // The next piece that has no owner, from a piece on; paths are halved on the way, so that pieces with an owner cost nothing.
    const next = Uint32Array.from({ length: bounds.length + 1 }, (_none, at) => at);
    const free = (piece: number) => {
      let at = piece;
      while (next[at] !== at) {
        next[at] = next[next[at]!]!;
        at = next[at]!;
      }
      return at;
    };
    for (const [index, [from, to]] of ranges.entries()) {
      const end = this.#piece(to);
      for (let at = free(this.#piece(from)); at < end; at = free(at)) {
        this.#owner[at] = index + 1;
        next[at] = at + 1;
      }
    }
  }

  /** The index of the range, -1 for none. */
  find(address: bigint): number {
    const piece = this.#piece(address);
    return piece < 0 ? -1 : this.#owner[piece]! - 1;
  }

  /** The last bound that is not behind an address; -1 where all are. */
  #piece(address: bigint): number {
    let from = 0;
    let to = this.#bounds.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#bounds[middle]! <= address) from = middle + 1;
      else to = middle;
    }
    return from - 1;
  }
}
