// Process only: argv, exit code. Imported by the launcher on a Node that is new enough.
import './self.ts';
import { surviveClosedOutputs } from './outputs.ts';
import { processSignals } from './signals.ts';

surviveClosedOutputs();
const argv = process.argv.slice(2);
if (argv[0] === '--check-node') process.exitCode = 0;
else {
  // Before anything large is loaded: a signal in the first second is remembered and does not end the process half-way.
  if (argv[0] === 'run') processSignals();
  const { main } = await import('./cli.ts');
  process.exitCode = await main(argv);
}
// The channel to the launcher would keep the process alive.
process.channel?.unref();
