/**
 * Supervises one run, in a process of its own and a session of its own, so that neither the death of the broker nor
 * Ctrl-C at its terminal reaches the command: `node shim.js <run folder>`.
 */
import { RunFolder } from './run-folder.js';
import { superviseRun } from './supervision.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

await superviseRun(new RunFolder(process.argv[2] ?? ''));
process.exit(0);
