// What must never be shown: values under telling names, and passwords in URLs. Fields that a schema marks `writeOnly` come on top.

export const REDACTED = '[redacted]';

const SECRET_NAME = /(?:authorization|cookie|password|passwd|secret|token|api[-_]?key|credentials?)$/i;

/** Whether a key or header is known by its name to hold a secret. `token_file` is not one: it holds a path. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** The same text with the password of a URL, if it has one, replaced. */
export function redactUrl(text: string): string {
  return text.replace(/(:\/\/[^\s/?#:@]*):[^\s/?#]*@/g, `$1:${REDACTED}@`);
}

const SECRET_KEY = /(?:authorization|cookie|password|passwd|secret|token|api[-_]?key|credentials?)["']?\s*[:=]\s*/gi;
const REFERENCE = /^["']?\$\{[^}]*\}["']?$/;

/**
 * A source line as findings may show it. Works on text, because the line may be one that does not parse; each secret
 * becomes as many asterisks, so that the columns stay. References such as `${env:X}` stay readable.
 */
export function redactLine(line: string): string {
  let shown = '';
  let done = 0;
  for (const { index, 0: key } of line.matchAll(SECRET_KEY)) {
    const start = index + key.length;
    if (start < done) continue;
    const end = valueEnd(line, start);
    const value = line.slice(start, end);
    shown += line.slice(done, start) + (REFERENCE.test(value) ? value : '*'.repeat(value.length));
    done = end;
  }
  shown += line.slice(done);
  return shown.replace(
    /(:\/\/[^\s/?#:@]*:)([^\s/?#]*)@/g,
    (_all, head: string, password: string) => `${head}${'*'.repeat(password.length)}@`,
  );
}

/** Where the value that starts at `start` ends: quotes at their partner, plain text in a flow mapping at its comma or brace. */
function valueEnd(line: string, start: number): number {
  const first = line[start];
  if (first === undefined || first === '{' || first === '[') return start;
  if (first === '"' || first === "'") {
    const quoted = first === '"' ? /"(?:[^"\\]|\\.)*"?/y : /'(?:[^']|'')*'?/y;
    quoted.lastIndex = start;
    return start + (quoted.exec(line)?.[0].length ?? 0);
  }
  const before = line.slice(0, start).replace(/\$\{[^}]*\}/g, '');
  const open = before.replace(/[^{[]/g, '').length - before.replace(/[^}\]]/g, '').length;
  if (open <= 0) return line.length;
  const end = line.slice(start).search(/[,}\]]/);
  return end < 0 ? line.length : start + end;
}
