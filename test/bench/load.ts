// Closed-loop load over raw keep-alive connections: what the load costs is not what is measured, but it must not be the limit.
import { connect, type Socket } from 'node:net';

export interface Load {
  readonly requests: number;
  readonly seconds: number;
  /** Sorted, ms. */
  readonly latencies: Float64Array;
}

/** Numbers all requests of the process. */
let sent = 0;

/** Sends `request` again and again on each connection, one in flight each, until the time is over. */
export async function runLoad(port: number, request: Buffer, connections: number, seconds: number): Promise<Load> {
  const endMs = performance.now() + seconds * 1000;
  const latencies: number[] = [];
  const numberAt = request.indexOf('x=0000000000') < 0 ? -1 : request.indexOf('x=0000000000') + 2;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      let sentMs = 0;
      let missing = -1;
      let head = '';
      const own = Buffer.from(request);
      const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => send());
      const send = () => {
        sentMs = performance.now();
        missing = -1;
        head = '';
        // Every request differs in ten digits, or a queue would tell that it has the batch already.
        if (numberAt >= 0) own.write(String(++sent).padStart(10, '0'), numberAt, 'latin1');
        socket.write(own);
      };
      socket.on('data', chunk => {
        let body = chunk.length;
        if (missing < 0) {
          head += chunk.toString('latin1');
          const end = head.indexOf('\r\n\r\n');
          if (end < 0) return;
          if (!head.startsWith('HTTP/1.1 20')) {
            reject(new Error(head.slice(0, 300)));
            socket.destroy();
            return;
          }
          missing = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
          body = head.length - end - 4;
        }
        missing -= body;
        if (missing > 0) return;
        const now = performance.now();
        latencies.push(now - sentMs);
        if (now < endMs) send();
        else socket.end(() => resolve());
      });
      socket.on('error', reject);
    });
  const startMs = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  const took = (performance.now() - startMs) / 1000;
  return { requests: latencies.length, seconds: took, latencies: Float64Array.from(latencies).sort() };
}

export const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
