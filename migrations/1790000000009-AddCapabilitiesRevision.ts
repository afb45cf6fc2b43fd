import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Counts how often a broker has said what it can do, so that what an older link says late is told apart.
 *
 * Hubs of the release before write the capabilities without it, and do no harm: their brokers say so in a hello alone.
 *
 * Locks: `broker` for a moment; a default that is a constant rewrites no row.
 */
export class AddCapabilitiesRevision1790000000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table broker add column capabilities_revision bigint not null default 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table broker drop column capabilities_revision`);
  }
}
