// Closed-loop load of unary gRPC calls over node:http2: one call in flight on each connection.
import { connect } from 'node:http2';
import { RPC } from '../kit/otlp-store.ts';
import type { Load } from './load.ts';
import { NUMBER } from './otlp-body.ts';

/** Numbers all calls of the process. */
let sent = 0;

/** Sends `message` again and again on each connection until the time is over. @throws where a call does not end with OK */
export async function runRpcLoad(port: number, message: Buffer, connections: number, seconds: number): Promise<Load> {
  const endMs = performance.now() + seconds * 1000;
  const latencies: number[] = [];
  const numberAt = 5 + message.indexOf(NUMBER) + 2;
  const one = async () => {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 4 << 20 } });
    session.on('connect', () => session.setLocalWindowSize(16 << 20));
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    const call = () =>
      new Promise<void>((resolve, reject) => {
        frame.write(String(++sent).padStart(10, '0'), numberAt, 'latin1');
        const stream = session.request({
          ':method': 'POST',
          ':path': RPC.profiles,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        let status: string | undefined;
        stream.on('response', headers => {
          status = headers['grpc-status'] as string | undefined;
        });
        stream.on('trailers', trailers => {
          status = String(trailers['grpc-status']);
        });
        stream.on('error', reject);
        stream.resume();
        stream.on('close', () => (status === '0' ? resolve() : reject(new Error(`grpc-status ${status}`))));
        stream.end(frame);
      });
    try {
      for (let startMs = performance.now(); startMs < endMs; ) {
        await call();
        const now = performance.now();
        latencies.push(now - startMs);
        startMs = now;
      }
    } finally {
      session.destroy();
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  const took = (performance.now() - startMs) / 1000;
  return { requests: latencies.length, seconds: took, latencies: Float64Array.from(latencies).sort() };
}
