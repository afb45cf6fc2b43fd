/**
 * What a quick run has in each cell: the files that a version of PostgreSQL or Node, or a missing privilege, would
 * break first. Together they take well under a minute; what they leave out is the time that deaths and outages take.
 */
export const QUICK_SPECS = [
  // The server that a hub brings along: its programs, its user, its settings, its recovery.
  'test/integration/embedded-postgres.spec.ts',
  'test/integration/embedded-programs.spec.ts',
  // SQL: the migrations both ways, and statements of every kind.
  'test/integration/migrations.spec.ts',
  'test/integration/auth-joins.spec.ts',
  'test/integration/auth-outage.spec.ts',
  // Real processes, sockets and HTTP.
  'test/e2e/dispatch.spec.ts',
  'test/e2e/channel.spec.ts',
  // The broker's native module, its child processes, and files that are for one user alone.
  'test/broker/journal.spec.ts',
  'test/broker/executor.spec.ts',
  'test/cli/login.spec.ts',
  'test/cli/programs.spec.ts',
] as const;
