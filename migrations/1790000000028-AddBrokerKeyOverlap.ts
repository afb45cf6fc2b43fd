import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A key of a broker that takes the place of another waits for its confirmation, and lapses where none comes. At most one of a
 * broker waits at a time.
 *
 * Replicas of the release before take a key that waits for a live one, and confirm none.
 *
 * Locks: `broker_key` for the moment in which a column without a default is added, and while an index is built over the keys
 * that wait, of which there are none yet.
 */
export class AddBrokerKeyOverlap1790000000028 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table broker_key add column confirm_by timestamptz`);
    await runner.query(`
      create unique index broker_key_waits_alone on broker_key (broker_id)
      where confirm_by is not null and retired_at is null`);
  }

  /** What waits is no broker's key yet, and would pass for one. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `update broker_key set retired_at = now() where confirm_by is not null and retired_at is null`,
    );
    await runner.query(`drop index broker_key_waits_alone`);
    await runner.query(`alter table broker_key drop column confirm_by`);
  }
}
