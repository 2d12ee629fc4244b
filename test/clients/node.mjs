// A small program under the Node SDK: burns CPU until stdin closes, uploading every second.
import { createHash } from 'node:crypto';
import Pyroscope from '@pyroscope/nodejs';

let running = true;
process.stdin.once('end', () => {
  running = false;
});
process.stdin.resume();
Pyroscope.init({
  serverAddress: process.argv[2],
  appName: 'client.node',
  tags: { region: 'eu-west-1' },
  tenantID: 'team-node',
  flushIntervalMs: 1000,
  wall: { samplingDurationMs: 1000, collectCpuTime: true },
});
Pyroscope.start();
let data = Buffer.from('flamegate');
while (running) {
  for (let n = 0; n < 20_000; n++) data = createHash('sha256').update(data).digest();
  await new Promise(resolve => setTimeout(resolve, 5));
}
await Pyroscope.stop();
console.log('stopped');
process.exit(0);
