import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Drops the history's partition of one day (UTC). Where there is a default partition, none can be detached concurrently:
 * every way takes the parent and the default partition exclusively, for as long as it takes to write the catalogue, and the
 * files go after that. Whoever writes to the history waits behind one who waits for that lock, so it gives up
 * after 200 ms, and somebody tries again later. It takes turns with the making of partitions, which locks the default
 * partition first; nobody waits behind one who waits for that.
 *
 * @returns false where the lock was not to be had in time
 */
const DROP_PARTITION = `
      create function drop_history_partition(day date) returns boolean
      language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(hashtextextended('make_history_partition', 2));
        set local lock_timeout = '200ms';
        execute format('drop table if exists %I', 'broker_dispatch_history_p' || to_char(day, 'YYYYMMDD'));
        return true;
      exception when lock_not_available then
        return false;
      end
      $$`;

/**
 * The function by which retention drops whole days of the history.
 *
 * Locks: none.
 */
export class DropHistoryPartition1790000000016 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(DROP_PARTITION);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop function drop_history_partition(date)`);
  }
}
