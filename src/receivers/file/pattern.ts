// A glob whose `{name}` parts are labels.
import { Regex } from '../../wire/regex.ts';

/** One step from a folder to what lies in it. */
export type Segment =
  | { readonly kind: 'literal'; readonly name: string }
  /** Any number of folders, none too. */
  | { readonly kind: 'any depth' }
  /** `hidden`: it begins with a dot itself, so that names may too. */
  | { readonly kind: 'glob'; readonly regex: Regex; readonly hidden: boolean };

const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const MAGIC = /[*?[\]{}\\]/;
const ANY_NAME = '*';
const ANY_DEPTH = '**';

class PatternError extends Error {}

/** Why this is no pattern; undefined when it is one. */
export function patternProblem(text: string): string | undefined {
  try {
    new PathPattern(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return `"${text}" is not a pattern of paths: ${error.message}`;
  }
}

/** How a pattern and its paths are written down: `/` between names, absolute or from the working directory. */
export class PathPattern {
  /** `/`, or empty: the working directory. */
  readonly root: '/' | '';
  readonly segments: readonly Segment[];
  /** Labels that it gives, in the order of its groups. */
  readonly names: readonly string[];
  readonly #whole: Regex;

  /** @throws Error when `patternProblem` has something to say */
  constructor(text: string) {
    this.root = text.startsWith('/') ? '/' : '';
    const parts = text.split('/').filter(part => part !== '' && part !== '.');
    if (parts.length === 0 || text.endsWith('/')) throw new PatternError('it names no file');
    if (parts.at(-1) === ANY_DEPTH) parts.push(ANY_NAME);
    const names: string[] = [];
    const segments: Segment[] = [];
    let whole = '';
    for (const [at, part] of parts.entries()) {
      if (part === ANY_DEPTH) {
        if (segments.at(-1)?.kind === 'any depth') continue;
        segments.push({ kind: 'any depth' });
        // In front of all, it stands for absolute paths as well: an exclusion need not know how the folder is written.
        whole += at === 0 && this.root === '' ? '(?:[^/]*/)*' : '(?:[^/]+/)*';
        continue;
      }
      const source = new SegmentSource(part, names).regex();
      whole += source + (at === parts.length - 1 ? '' : '/');
      if (MAGIC.test(part))
        segments.push({ kind: 'glob', regex: new Regex(`^${source}$`), hidden: part.startsWith('.') });
      else segments.push({ kind: 'literal', name: part });
    }
    this.segments = segments;
    this.names = names;
    this.#whole = new Regex(`^${this.root}${whole}$`);
  }

  /** What its `{name}` parts stand for in this path; undefined when it does not fit. Each takes as much as it can, the first one first. */
  labelsOf(path: string): ReadonlyMap<string, string> | undefined {
    const groups = this.#whole.groups(path);
    return groups && new Map(this.names.map((name, at) => [name, groups[at] ?? '']));
  }

  fits(path: string): boolean {
    return this.#whole.test(path);
  }
}

/** One that is matched against paths only: without a `/` it means a name in whatever folder. @throws Error as `PathPattern` */
export function exclusion(text: string): PathPattern {
  return new PathPattern(text.includes('/') ? text : `${ANY_DEPTH}/${text}`);
}

/** Makes RE2 of a segment. */
class SegmentSource {
  readonly #text: string;
  readonly #names: string[];
  #at = 0;

  /** @param names where the labels go that it gives */
  constructor(text: string, names: string[]) {
    this.#text = text;
    this.#names = names;
  }

  regex(): string {
    let source = '';
    while (this.#at < this.#text.length) source += this.#next();
    return source;
  }

  #next(): string {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    this.#at += char.length;
    switch (char) {
      case '*':
        return '[^/]*';
      case '?':
        return '[^/]';
      case '[':
        return this.#class();
      case '{':
        return this.#braces();
      case '}':
        throw new PatternError('a } without its { (write \\} for the character itself)');
      case '\\': {
        const code = this.#text.codePointAt(this.#at);
        if (code === undefined) throw new PatternError('a \\ with nothing behind it');
        const meant = String.fromCodePoint(code);
        this.#at += meant.length;
        return quoted(meant);
      }
      default:
        return quoted(char);
    }
  }

  #class(): string {
    // A ] that comes first is one of its characters.
    const end = this.#text.indexOf(']', this.#at + (/^[!^]?\]/.exec(this.#text.slice(this.#at))?.[0].length ?? 0));
    if (end < 0) throw new PatternError('a [ without its ] in the same folder or file name');
    const inner = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    const negated = /^[!^]/.test(inner);
    const source = `[${negated ? '^/' : ''}${inner.slice(negated ? 1 : 0).replace(/[\\[\]^&~]/g, String.raw`\$&`)}]`;
    try {
      new Regex(source);
    } catch {
      throw new PatternError(`[${inner}] is no set of characters`);
    }
    return source;
  }

  #braces(): string {
    const end = this.#text.indexOf('}', this.#at);
    if (end < 0) throw new PatternError('a { without its } in the same folder or file name');
    const inner = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    if (inner.includes('{')) throw new PatternError('braces within braces');
    if (inner.includes(',')) {
      const ways = inner.split(',').map(way => new SegmentSource(way, this.#names).regex());
      return `(?:${ways.join('|')})`;
    }
    if (!LABEL_NAME.test(inner))
      throw new PatternError(`{${inner}} is neither the name of a label nor a list such as {a,b}`);
    if (this.#names.includes(inner)) throw new PatternError(`{${inner}} stands in it twice`);
    this.#names.push(inner);
    return '([^/]+)';
  }
}

const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
