import type { Meter } from './api/index.ts';

/** A reader of our output that went away (`flamegate … | head -3`, a log collector that restarts) must not end the process. */
export function surviveClosedOutputs(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/** Says once where the lines went, and counts what could not be written. */
export function noteClosedOutputs(meter: Meter): void {
  const lost = meter.counter('flamegate_output_errors_total', {
    help: 'Lines for stdout or stderr that could not be written.',
    labels: ['stream'],
  });
  let noted = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    lost.record(1, { stream: 'stdout' });
    if (noted) return;
    noted = true;
    process.stderr.write(
      `flamegate: stdout cannot be written (${error.code}), logs and the debug exporter's lines are lost from here on; the gateway goes on\n`,
    );
  });
  process.stderr.on('error', () => lost.record(1, { stream: 'stderr' }));
}
