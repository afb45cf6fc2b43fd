/** Ends the test run's PostgreSQL, without writing out what nobody will read. */
import { rmSync } from 'node:fs';

export default async function tearDown() {
  const cluster = globalThis.fairleadTestCluster;
  if (cluster === undefined) return;
  await cluster.server.release('immediate');
  rmSync(cluster.directory, { recursive: true, force: true });
}
