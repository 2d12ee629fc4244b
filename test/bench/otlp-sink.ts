// A gRPC store that costs little: counts and says OK. node otlp-sink.ts PORT COUNT_PORT; GET on the second says how many.
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:http2';

const [port, countPort] = process.argv.slice(2).map(Number);
const EMPTY = Buffer.alloc(5);
let count = 0;

const server = createServer({ settings: { initialWindowSize: 4 << 20 } });
server.on('session', session => session.setLocalWindowSize(16 << 20));
server.on('stream', stream => {
  stream.on('error', () => {});
  stream.resume();
  stream.on('end', () => {
    count++;
    if (stream.destroyed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(EMPTY);
  });
});
server.listen(port, '127.0.0.1', () =>
  createHttp((_request, response) => response.end(String(count))).listen(countPort, '127.0.0.1', () =>
    console.log('ready'),
  ),
);
