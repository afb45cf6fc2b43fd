import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who owned a broker's connection, and when: one row for each epoch, ended by whatever ends the ownership. Connections
 * that are held while this runs get theirs from here. A replica of the release before ends none and begins none: what it
 * leaves open is ended by the hourly duty of the others.
 *
 * The times are of milliseconds, as they are shown: what is asked for by a time that was shown is found.
 *
 * A broker also keeps when a copy of it took its place last, and a key that it was flagged for that.
 *
 * Locks: `broker` and `broker_key` for the moment in which columns without a default are added.
 */
export class CreateBrokerStays1790000000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table broker_stay (
        broker_id uuid not null,
        epoch bigint not null,
        id uuid not null,
        replica_id uuid not null,
        began_at timestamptz(3) not null,
        ended_at timestamptz(3),
        end_reason text,
        constraint broker_stay_is_one_an_epoch primary key (broker_id, epoch),
        constraint broker_stay_is_of_a_broker foreign key (broker_id) references broker (id)
      )`);
    await runner.query(`create index broker_stay_by_end on broker_stay (ended_at)`);
    await runner.query(`
      insert into broker_stay (broker_id, epoch, id, replica_id, began_at)
      select broker_id, epoch, connection_id, replica_id, since
      from broker_connection
      where replica_id is not null`);
    await runner.query(`alter table broker add column displaced_at timestamptz`);
    await runner.query(`alter table broker_key add column flagged_at timestamptz`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table broker_key drop column flagged_at`);
    await runner.query(`alter table broker drop column displaced_at`);
    await runner.query(`drop table broker_stay`);
  }
}
