import type { BodyProblem, Request, Response } from '../../api/index.ts';
import type { AcceptedRequest, Answer } from '../accepting.ts';
import { CODINGS } from '../coding.ts';
import { PortRequest } from '../port-request.ts';
import { MessageFraming, PREFIX_BYTES } from './framing.ts';
import type { RpcKind } from './kind.ts';
import { type CallStatus, parseTimeout, RPC, statusFields, statusOf, statusOfProblem } from './status.ts';

/** A timer cannot run longer, ms; no call does. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const TRAILERS = 0x80;

/** One unary call: what a route sees of it as a request, and its response as the answer to a call. */
export class RpcCall extends PortRequest {
  readonly #kind: RpcKind;
  readonly #body: AcceptedRequest['body'];
  #problem: BodyProblem | undefined;
  #timer: NodeJS.Timeout | undefined;
  #expired = false;
  /** Why the call is not even tried. */
  readonly refused: Response | undefined;

  constructor(accepted: AcceptedRequest, kind: RpcKind) {
    super(accepted, 'rpc');
    this.#kind = kind;
    this.#body = accepted.body;
    const { headers } = accepted.head;
    accepted.body.unframe(new MessageFraming(headers['grpc-encoding'], kind));
    const timeout = headers['grpc-timeout'];
    if (timeout === undefined) return;
    const ms = parseTimeout(timeout);
    if (ms === undefined)
      this.refused = { status: 400, rpc: { code: RPC.internal, message: 'grpc-timeout is no time' } };
    else this.#timer = setTimeout(() => this.#expire(), Math.min(ms, MAX_TIMEOUT_MS));
  }

  override async read(options: Parameters<Request['read']>[0]): ReturnType<Request['read']> {
    const body = await super.read(options);
    if (body.kind === 'problem') {
      this.#problem = body;
      return body;
    }
    const { decoded } = body;
    return {
      ...body,
      decoded: async () => {
        const plain = await decoded();
        if (plain.kind === 'problem') this.#problem = plain;
        return plain;
      },
    };
  }

  /** @param response of the route, or why there was none */
  answer(response: Response): Answer {
    clearTimeout(this.#timer);
    const { web, contentType } = this.#kind;
    const status = this.#statusOf(response);
    const fields = statusFields(status);
    const headers: Record<string, string> = { ...corsOf(response), 'content-type': contentType };
    if (status.code === RPC.unimplemented) headers['grpc-accept-encoding'] = Object.keys(CODINGS).join(',');
    const message = status.code === RPC.ok ? framed(0, response.body ?? '') : undefined;
    if (web) return { status: 200, headers, body: this.#webBody(message, fields) };
    return message
      ? { status: 200, headers, body: message, trailers: fields }
      : { status: 200, headers: { ...headers, ...fields } };
  }

  #statusOf(response: Response): CallStatus {
    const status = statusOf(response);
    if (status.code === RPC.ok) return status;
    if (this.#expired) return { code: RPC.deadlineExceeded, message: 'the deadline of the call is over' };
    return this.#problem ? statusOfProblem(this.#problem) : status;
  }

  #webBody(message: Buffer | undefined, fields: Record<string, string>): Buffer | string {
    let text = '';
    for (const name in fields) text += `${name}: ${fields[name]}\r\n`;
    const trailers = framed(TRAILERS, text);
    const body = message ? Buffer.concat([message, trailers]) : trailers;
    return this.#kind.text ? body.toString('base64') : body;
  }

  #expire(): void {
    this.#expired = true;
    if (this.#body.reading) this.#body.late();
    this.leave();
  }
}

function framed(flags: number, message: string | Uint8Array): Buffer {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + bytes.length);
  frame[0] = flags;
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, PREFIX_BYTES);
  return frame;
}

/** Headers of a response that a browser wants of any answer. */
function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );
}
