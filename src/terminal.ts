// Text for a terminal, of whatever command.

/** Text that came from outside, without its control characters: it may not steer the terminal. */
export const plain = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, one => `\\u{${one.codePointAt(0)!.toString(16)}}`);

/** `1 profile`, `2 profiles`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/**
 * Columns as wide as their widest cell.
 * @param align a letter a column: `r` for numbers, `l`
 */
export function table(align: string, rows: readonly (readonly string[])[]): string {
  const widths = [...align].map((_letter, at) => Math.max(0, ...rows.map(row => row[at]!.length)));
  return rows
    .map(
      row =>
        `${row
          .map((cell, at) => pad(cell, widths[at]!, align[at]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

const pad = (cell: string, width: number, align: string) => (align === 'r' ? cell.padStart(width) : cell.padEnd(width));
