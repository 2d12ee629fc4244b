#!/usr/bin/env node
// The launcher. Plain JavaScript that any Node from 18 on can read: it finds a Node that is new enough and runs main there.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MIN = [24, 11];
const root = new URL('../', import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > MIN[0] || (major === MIN[0] && minor >= MIN[1])) {
  const source = new URL('src/main.ts', root);
  // A clone runs its sources; the published package holds only what tsc made of them (Node strips no types below node_modules).
  await import(existsSync(source) ? source.href : new URL('dist/main.js', root).href);
} else {
  const binary = fileURLToPath(new URL('node_modules/node/bin/node', root));
  if (!existsSync(binary)) {
    console.error(
      `flamegate needs Node.js ${MIN.join('.')} or newer; this is ${process.version} and no private one is installed: ` +
        'run `npm ci` (without --ignore-scripts and --omit=dev), or install a newer Node.js.',
    );
    process.exit(1);
  }
  // The IPC channel tells the gateway that its launcher died, so that it drains and ends instead of living on as an orphan.
  const child = spawn(binary, process.argv.slice(1), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', error => {
    console.error(`flamegate: cannot start ${binary}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}
