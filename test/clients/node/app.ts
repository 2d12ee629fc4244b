// A small program under the Pyroscope SDK for Node.js: works and allocates until its standard input ends.
import Pyroscope from '@pyroscope/nodejs';

Pyroscope.init({
  appName: process.env.CLIENT_APP,
  serverAddress: process.env.CLIENT_SERVER,
  flushIntervalMs: 2000,
  wall: { samplingDurationMs: 2000, collectCpuTime: true },
  tags: { team: 'node' },
});
Pyroscope.start();

const kept: string[] = [];
function order(vehicle: string): void {
  for (const end = performance.now() + 4; performance.now() < end; ) kept.push(vehicle.repeat(256 + kept.length));
  kept.splice(0, kept.length - 100);
}
const work = setInterval(() => {
  for (const vehicle of ['car', 'bike']) Pyroscope.wrapWithLabels({ vehicle }, () => order(vehicle));
}, 20);
process.stdin.resume().on('end', async () => {
  clearInterval(work);
  await Pyroscope.stop();
  process.exit(0);
});
