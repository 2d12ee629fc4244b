// What is wrong with a configuration, where, and what to do: plain values, so that the CLI, the log and the admin page can show them.
import { redactLine } from './secrets.ts';
import type { Place } from './source.ts';

export interface Finding {
  readonly severity: 'error' | 'warning';
  /** As given on the command line, or `--set`. */
  readonly file: string;
  /** 1-based; 0 when the finding is about the file as a whole. */
  readonly line: number;
  /** 1-based; 0 when the finding is about the file as a whole. */
  readonly column: number;
  /** Says what happened, and names the key. Without secrets. */
  readonly message: string;
  /** What to do about it, such as "did you mean `x`?". */
  readonly hint?: string;
  /** The source line, secrets blanked. */
  readonly excerpt?: string;
}

/** More findings than this say nothing new, and a hostile file could make millions. */
const MAX_FINDINGS = 200;
/** A longer source line is cut around the caret. */
const MAX_EXCERPT_COLUMNS = 160;

/** Collects the findings of one load; hands them out in the order of the sources. */
export class Findings {
  readonly #found: { finding: Finding; order: number; offset: number }[] = [];
  readonly #order = new Map<Place['source'], number>();
  #left = 0;

  /** Sources in the order in which their findings are shown. */
  source(source: Place['source']): void {
    if (!this.#order.has(source)) this.#order.set(source, this.#order.size);
  }
  error(at: Place | undefined, message: string, hint?: string): void {
    this.#add('error', at, message, hint);
  }
  warn(at: Place | undefined, message: string, hint?: string): void {
    this.#add('warning', at, message, hint);
  }
  /** About a file that cannot be read at all. */
  file(name: string, message: string, hint?: string): void {
    const finding: Finding = { severity: 'error', file: name, line: 0, column: 0, message, ...(hint ? { hint } : {}) };
    this.#found.push({ finding, order: -1, offset: this.#found.length });
  }

  get failed(): boolean {
    return this.#found.some(({ finding }) => finding.severity === 'error');
  }
  list(): Finding[] {
    const sorted = this.#found.toSorted((a, b) => a.order - b.order || a.offset - b.offset).map(f => f.finding);
    if (this.#left > 0) {
      const message = `and ${this.#left} more`;
      sorted.push({ severity: 'error', file: sorted.at(-1)?.file ?? '', line: 0, column: 0, message });
    }
    return sorted;
  }

  #add(severity: Finding['severity'], at: Place | undefined, message: string, hint: string | undefined): void {
    if (this.#found.length >= MAX_FINDINGS) {
      this.#left++;
      return;
    }
    const { line, column } = at?.source.position(at.offset) ?? { line: 0, column: 0 };
    if (at) this.source(at.source);
    const finding: Finding = {
      severity,
      file: at?.source.name ?? '',
      line,
      column,
      message,
      ...(hint ? { hint } : {}),
      ...(at ? { excerpt: redactLine(at.source.line(line)) } : {}),
    };
    // One mistake that two rules see is one finding.
    if (this.#found.some(f => f.finding.message === message && f.finding.line === line && f.finding.column === column))
      return;
    this.#found.push({ finding, order: at ? this.#order.get(at.source)! : -1, offset: at?.offset ?? 0 });
  }
}

/**
 * One block per finding: `file:line:column: message`, the source line, a caret under the column, and the hint.
 * Ends with a line feed; '' for none.
 */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map(formatFinding).join('');
}

function formatFinding(finding: Finding): string {
  const { file, line, column, severity, message, hint, excerpt } = finding;
  const where = line > 0 ? `${file}:${line}:${column}` : file;
  const head = `${where ? `${where}: ` : ''}${severity === 'warning' ? 'warning: ' : ''}${message}`;
  if (excerpt === undefined || line === 0) return `${head}${hint ? `; ${hint}` : ''}\n`;
  const from = excerpt.length > MAX_EXCERPT_COLUMNS ? Math.max(0, column - 1 - MAX_EXCERPT_COLUMNS / 2) : 0;
  const shown = excerpt.slice(from, from + MAX_EXCERPT_COLUMNS);
  // Tabs stay tabs, so that the caret stands under its column whatever their width.
  const padding = shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  return `${head}\n  ${shown}\n  ${padding}^${hint ? ` ${hint}` : ''}\n`;
}
