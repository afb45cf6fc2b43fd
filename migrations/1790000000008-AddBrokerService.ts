import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whether a broker is given new work, as an operator has it: cordoned, and draining, and drained once nothing runs there
 * any more. Each is a time, and each implies the one before. The revision grows with what an operator changes.
 *
 * A replica of the release before places work on a cordoned broker as on any other.
 *
 * Locks: `broker`, for the moment in which columns with constant defaults are added, and while the index of no row is
 * made and the checks look at each broker.
 */
export class AddBrokerService1790000000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table broker
        add column revision integer not null default 1,
        add column cordoned_at timestamptz,
        add column draining_at timestamptz,
        add column drained_at timestamptz,
        add constraint broker_draining_is_cordoned check (draining_at is null or cordoned_at is not null),
        add constraint broker_drained_has_drained check (drained_at is null or draining_at is not null)`);
    await runner.query(`
      create index broker_that_drains on broker (id) where draining_at is not null and drained_at is null`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index broker_that_drains`);
    await runner.query(`
      alter table broker
        drop constraint broker_drained_has_drained,
        drop constraint broker_draining_is_cordoned,
        drop column drained_at,
        drop column draining_at,
        drop column cordoned_at,
        drop column revision`);
  }
}
