/** One JSON log line as a line for people: time, level, component, phrase, fields. */
export function pretty(line: string): string {
  const { level, time, msg, kind, id, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = new Date(time as number).toISOString().slice(11, 23);
  const who = [kind, id].filter(Boolean).join(' ');
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${text(value)}`);
  return `${clock} ${String(level).padEnd(5)} ${who ? `${who}  ` : ''}${String(msg)}${rest.length > 0 ? `  ${rest.join(' ')}` : ''}\n`;
}

function text(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  if (value !== null && typeof value === 'object' && 'message' in value) {
    const { message, stack } = value as { message: unknown; stack?: unknown };
    return stack === undefined ? JSON.stringify(message) : `${JSON.stringify(message)}\n${String(stack)}`;
  }
  return JSON.stringify(value);
}
