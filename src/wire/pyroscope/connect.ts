// Errors of the Connect protocol (https://connectrpc.com/docs/protocol#error-codes), unary.

export const CONNECT_STATUS = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
} as const;
export type ConnectCode = keyof typeof CONNECT_STATUS;

/** The same as codes of gRPC (https://grpc.io/docs/guides/status-codes), which Connect has them from. */
const RPC_CODES: readonly (ConnectCode | 'ok')[] = [
  'ok',
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];

/** An error answer; `status` only where a door of the same server uses another than Connect's (/ingest). */
export function connectError(
  code: ConnectCode,
  message: string,
  status: number = CONNECT_STATUS[code],
): { status: number; headers: Record<string, string>; body: string; rpc: { code: number; message: string } } {
  const body = JSON.stringify({ code, message });
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body,
    rpc: { code: RPC_CODES.indexOf(code), message },
  };
}

/** What a store's error body says; an empty code when it is not a Connect error. */
export function readConnectError(body: Uint8Array): { code: ConnectCode | ''; message: string } {
  const text = Buffer.from(body).toString('utf8');
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    return {
      code: typeof code === 'string' && Object.hasOwn(CONNECT_STATUS, code) ? (code as ConnectCode) : '',
      message: typeof message === 'string' ? message : '',
    };
  } catch {
    return { code: '', message: text };
  }
}
