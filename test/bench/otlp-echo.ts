// Baselines of gRPC: a unary service that sends the message back. node otlp-echo.ts grpc-js|http2 PORT
import { createServer } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { RPC } from '../kit/otlp-store.ts';

const [kind, port] = process.argv.slice(2);

if (kind === 'grpc-js') {
  const raw = (bytes: Buffer) => bytes;
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20 });
  server.addService(
    {
      Export: {
        path: RPC.profiles,
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    {
      Export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        done(null, call.request),
    },
  );
  server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), error => {
    if (error) throw error;
    console.log('ready');
  });
} else {
  const server = createServer({ settings: { initialWindowSize: 4 << 20 } });
  server.on('session', session => session.setLocalWindowSize(16 << 20));
  server.on('stream', stream => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (stream.destroyed) return;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.concat(chunks));
    });
  });
  server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
}
