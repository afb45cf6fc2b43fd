import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The index of ordering keys begins with the key, so that rows of a key are found in it and in no other index: while it
 * began with the broker, the server could take the one of all a broker's rows for as good.
 *
 * Locks: `broker_dispatch` against writes while the index of its live rows with a key is made; they are few.
 */
export class IndexByKeyFirst1790000000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index broker_dispatch_of_key`);
    await runner.query(
      `create index broker_dispatch_of_key on broker_dispatch (ordering_key, broker_id, seq)
        where ordering_key is not null`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index broker_dispatch_of_key`);
    await runner.query(
      `create index broker_dispatch_of_key on broker_dispatch (broker_id, ordering_key, seq)
        where ordering_key is not null`,
    );
  }
}
