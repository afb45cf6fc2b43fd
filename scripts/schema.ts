/**
 * Proves the migrations: up, no difference to the entities, the same words as the code, no index on a hot column,
 * down until nothing is left, and up again. Runs in a database of its own, which it drops.
 *
 *     node dist/scripts/schema.js    exit code 1 where something is wrong
 */
import { faultsOfSchema } from './schema/round-trip.js';
import { withScratchDatabase } from './scratch-server.js';

const faults = await withScratchDatabase(faultsOfSchema);
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
