// The thread of crowds: opens raw connections and does on each what its manner says.
import { connect, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export type ToCrowd = { readonly crowd: number; readonly manner: Manner; readonly size: number };
export type FromCrowd =
  | { readonly kind: 'connected' }
  /** The gateway has closed one; `status` is what it said before. */
  | { readonly kind: 'gone'; readonly crowd: number; readonly status: string };

/** Connections made at a time, so that none waits so long for its turn that the system gives it up. */
const AT_ONCE = 200;
const GET = 'GET /ready HTTP/1.1\r\nhost: x\r\n';
const POST = 'POST /ingest?name=slow&format=pprof HTTP/1.1\r\nhost: x\r\n';

/** Writes a piece every so often until the connection is closed. */
function drip(socket: Socket, first: string, everyMs: number, piece: string): void {
  socket.write(first);
  const timer = setInterval(() => socket.writable && socket.write(piece), everyMs);
  socket.on('close', () => clearInterval(timer));
}

/** Writes as fast as it is taken. */
function flood(socket: Socket, first: string, piece: string): void {
  socket.write(first);
  const more = () => void (socket.writable && socket.write(piece, () => setImmediate(more)));
  more();
}

const MANNERS = {
  idle: () => {},
  'slow head': (socket: Socket) => drip(socket, `${GET}x-slow: `, 500, 'a'),
  'slow body': (socket: Socket) => drip(socket, `${POST}content-length: 100000\r\n\r\n`, 200, 'b'),
  'slow chunks': (socket: Socket) => drip(socket, `${POST}transfer-encoding: chunked\r\n\r\n`, 200, '1\r\nc\r\n'),
  'huge header': (socket: Socket) => flood(socket, `${GET}x-huge: `, 'a'.repeat(256 * 1024)),
  'endless headers': (socket: Socket) => flood(socket, GET, 'x-one-more: y\r\n'.repeat(1000)),
  'never reads': (socket: Socket) => flood(socket, '', 'GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(100)),
} as const;
export type Manner = keyof typeof MANNERS;

const port = parentPort!;
const say = (message: FromCrowd) => port.postMessage(message);

function open({ crowd, manner }: ToCrowd): Promise<void> {
  return new Promise(resolve => {
    const socket = connect(workerData, '127.0.0.1', () => {
      MANNERS[manner](socket);
      resolve();
    });
    let head = '';
    if (manner !== 'never reads')
      socket.on('data', chunk => {
        if (head.length < 12) head += chunk.toString('latin1', 0, 12);
      });
    // The gateway closes while we write: that is the end too.
    socket.on('error', () => {});
    socket.on('close', () => say({ kind: 'gone', crowd, status: head.slice(9, 12) || 'no answer' }));
  });
}

port.on('message', async (message: ToCrowd) => {
  for (let left = message.size; left > 0; left -= AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, () => open(message)));
  say({ kind: 'connected' });
});
