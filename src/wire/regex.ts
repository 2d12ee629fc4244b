import { RE2JS } from 're2js';

/** Why this is no RE2 pattern; undefined when it is one. */
export function regexProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return `"${pattern}" is not a regular expression of RE2: ${reason}`;
  }
}

/** Why this replacement does not fit the pattern, which is sound; undefined when it does. */
export function replacementProblem(pattern: string, replacement: string): string | undefined {
  const regex = RE2JS.compile(pattern);
  for (const part of partsOf(replacement))
    if (typeof part === 'object' && groupOf(regex, part.group) === undefined)
      return `"${replacement}" names the group ${part.group}, which "${pattern}" does not have; \${1}x and $$ are how to write what looks like a group`;
  return undefined;
}

/**
 * A regular expression of RE2, in linear time whatever the text. It is searched for anywhere in a text, as Go's MatchString does:
 * anchors are the author's to write.
 */
export class Regex {
  readonly #regex: RE2JS;

  /** @throws Error when `regexProblem` has something to say */
  constructor(pattern: string) {
    this.#regex = RE2JS.compile(pattern);
  }

  test(text: string): boolean {
    return this.#regex.test(text);
  }

  /** Its groups in the first match, from 1; undefined stands for those that took no part, and for all of them where nothing matches. */
  groups(text: string): readonly (string | undefined)[] | undefined {
    const matcher = this.#regex.matcher(text);
    if (!matcher.find()) return undefined;
    return Array.from({ length: this.#regex.groupCount() }, (_, at) => matcher.group(at + 1) ?? undefined);
  }

  /**
   * Replaces every match, as Go's ReplaceAllString: $1, ${1}, $name and ${name} are groups, $$ is $. A name is as long as it can be:
   * $1x is the group 1x. Groups that took no part are empty.
   */
  replaceAll(text: string, replacement: string): string {
    const parts = partsOf(replacement).map(part =>
      typeof part === 'string' ? part : groupOf(this.#regex, part.group),
    );
    const matcher = this.#regex.matcher(text);
    let out = '';
    let last = 0;
    let any = false;
    while (matcher.find()) {
      const start = matcher.start();
      const end = matcher.end();
      // An empty match right behind another is none.
      if (any && start === end && start === last) continue;
      out += text.slice(last, start);
      for (const part of parts) out += typeof part === 'number' ? (matcher.group(part) ?? '') : (part ?? '');
      last = end;
      any = true;
    }
    return any ? out + text.slice(last) : text;
  }
}

function partsOf(replacement: string): (string | { readonly group: string })[] {
  const parts: (string | { readonly group: string })[] = [];
  let last = 0;
  for (const match of replacement.matchAll(/\$(?:(\$)|\{(\w+)\}|(\w+))/g)) {
    parts.push(replacement.slice(last, match.index));
    parts.push(match[1] ?? { group: match[2] ?? match[3]! });
    last = match.index + match[0].length;
  }
  parts.push(replacement.slice(last));
  return parts;
}

function groupOf(regex: RE2JS, group: string): number | undefined {
  if (!/^\d+$/.test(group)) return regex.namedGroups()[group];
  return Number(group) <= regex.groupCount() ? Number(group) : undefined;
}
