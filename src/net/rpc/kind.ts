import type { Response } from '../../api/index.ts';
import type { AcceptedRequest } from '../accepting.ts';

/** How a unary call is written. */
export interface RpcKind {
  /** Whether the status comes in the body, as gRPC-Web has it, and not behind it. */
  readonly web: boolean;
  /** Whether the body is base64. */
  readonly text: boolean;
  /** Of request and answer. */
  readonly contentType: string;
}

/** https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and PROTOCOL-WEB.md; the messages are protobuf. */
const CALL = /^application\/grpc(?:-web(?:-text)?)?(?:\+proto)?$/;
const TEXT = { 'content-type': 'text/plain; charset=utf-8' };

/** What kind of call a request is; undefined when it is none, an answer when it is one that is not taken. */
export function rpcKindOf({ head, version }: AcceptedRequest): RpcKind | Response | undefined {
  const type = head.headers['content-type'];
  if (type === undefined || !/^application\/grpc/i.test(type)) return undefined;
  const contentType = type.split(';', 1)[0]!.trim().toLowerCase();
  if (!CALL.test(contentType))
    return { status: 415, headers: TEXT, body: 'of gRPC and gRPC-Web only protobuf messages (+proto) are taken\n' };
  if (head.method !== 'POST') return { status: 405, headers: { ...TEXT, allow: 'POST' }, body: 'calls are POST\n' };
  const web = contentType.startsWith('application/grpc-web');
  if (!web && version === 1)
    return { status: 505, headers: TEXT, body: 'gRPC needs HTTP/2; gRPC-Web and Connect work over HTTP/1.1\n' };
  return { web, text: contentType.startsWith('application/grpc-web-text'), contentType };
}
