// Characters that folded text gives a meaning to.
export const TAB = 0x09;
export const NEWLINE = 0x0a;
export const RETURN = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
export const BRACE = 0x7b;
export const CLOSING_BRACE = 0x7d;
export const DELETE = 0x7f;

export const isBlank = (byte: number): boolean => byte === SPACE || byte === TAB;
export const isDigit = (byte: number): boolean => byte >= ZERO && byte <= 0x39;
/** Of ASCII, without the tab. */
export const isControl = (byte: number): boolean => (byte < SPACE && byte !== TAB) || byte === DELETE;
