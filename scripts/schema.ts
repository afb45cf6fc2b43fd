/**
 * Proves the migrations: up, no difference to the entities, the same words as the code, no index on a hot column,
 * down until nothing is left, and up again; and that statements find live commands by the same indexes whatever the server
 * knows of their table. Runs in a database of its own, which it drops.
 *
 *     node dist/scripts/schema.js    exit code 1 where something is wrong
 */
import { hubStatements } from './fences/statements.js';
import { unsteadyPlansIn } from './schema/plans.js';
import { faultsOfSchema } from './schema/round-trip.js';
import { withScratchDatabase } from './scratch-server.js';

const statements = await hubStatements();
const faults = await withScratchDatabase(async (url) => {
  const found = await faultsOfSchema(url);
  return found.length > 0 ? found : unsteadyPlansIn(url, statements.values());
});
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
