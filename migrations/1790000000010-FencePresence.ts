import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a presence is fenced and judged by: the epoch under which it was written last, and since when nothing was heard of
 * a broker whose connection was let go of. Rows are written anew in the page they stand in, which needs room.
 *
 * Locks: `broker_presence` and `broker_connection` exclusively, for as long as the catalogue takes; no row is rewritten.
 */
export class FencePresence1790000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table broker_presence add column epoch bigint not null default 0`);
    await runner.query(`alter table broker_presence set (fillfactor = 50)`);
    await runner.query(`alter table broker_connection add column silent_since timestamptz`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table broker_connection drop column silent_since`);
    await runner.query(`alter table broker_presence reset (fillfactor)`);
    await runner.query(`alter table broker_presence drop column epoch`);
  }
}
