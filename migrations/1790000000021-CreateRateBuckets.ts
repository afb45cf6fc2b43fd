import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What callers may still ask, a row a caller and class that was asked for. Rows are updated in place and carry no index but their
 * key, so that the table stays flat; unlogged, since what a crash forgets fills up again by itself.
 *
 * Locks: none on what is there.
 */
export class CreateRateBuckets1790000000021 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create unlogged table rate_bucket (
        bucket text not null,
        tokens double precision not null,
        lease integer not null,
        filled_at timestamptz not null,
        constraint rate_bucket_is_one_a_caller primary key (bucket)
      ) with (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table rate_bucket`);
  }
}
