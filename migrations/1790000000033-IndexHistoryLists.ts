import type { MigrationInterface, QueryRunner } from 'typeorm';

const HISTORY = 'broker_dispatch_history';

/** What succeeded without a project and without an agent stands in none of them: to end it costs what it did. */
const INDEXES: Readonly<Record<string, string>> = {
  [`${HISTORY}_of_project`]: '(project_id, id) where project_id is not null',
  [`${HISTORY}_of_agent`]: '(agent_id, id) where agent_id is not null',
  [`${HISTORY}_of_exceptions`]: `(state, id) where state in ('failed', 'cancelled', 'expired', 'dead')`,
};

const PARTITIONS = `
      select child.relname as name
      from pg_inherits
      join pg_class child on child.oid = pg_inherits.inhrelid
      where pg_inherits.inhparent = '${HISTORY}'::regclass
      order by child.relname = '${HISTORY}_default', child.relname`;

/**
 * Makes the history's partition of one day (UTC), where there is none. Whoever reads or writes the default partition waits behind
 * one who waits for its lock, so it gives up after 200 ms, as the dropping of a partition does, and somebody tries again later.
 *
 * @returns false where the lock was not to be had in time
 */
const TRY_PARTITION = `
      create or replace function try_history_partition(day date) returns boolean
      language plpgsql as $$
      begin
        perform pg_advisory_xact_lock(hashtextextended('make_history_partition', 2));
        set local lock_timeout = '200ms';
        perform make_history_partition(day);
        return true;
      exception when lock_not_available then
        return false;
      end
      $$`;

/**
 * By which lists go through the history that are not of one broker: of a project, of an agent, and of what did not succeed. And
 * the function by which partitions are made with the patience with which they are dropped.
 *
 * The release before makes partitions as it did, which have these indexes too, since they are made like their parent.
 *
 * Locks: one partition after the other against writes, while an index of it is made, each in a statement of its own; then the
 * history for the moment in which they are put together. Each statement must be answered within 15 s: where a partition holds
 * so many rows that it is not, its indexes can be made beforehand by hand, concurrently, under the names that are used here. One
 * that was cut short goes on where it was.
 */
export class IndexHistoryLists1790000000033 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await indexPartitions(runner);
    await runner.startTransaction();
    try {
      // Nobody makes or drops a partition meanwhile.
      await runner.query(`select pg_advisory_xact_lock(hashtextextended('make_history_partition', 2))`);
      for (const [name, columns] of Object.entries(INDEXES))
        await runner.query(`create index if not exists ${name} on only ${HISTORY} ${columns}`);
      for (const { index, part } of await indexPartitions(runner))
        await runner.query(`alter index ${index} attach partition ${part}`);
      await runner.query(TRY_PARTITION);
      await runner.commitTransaction();
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop function try_history_partition(date)`);
    for (const name of Object.keys(INDEXES).reverse()) await runner.query(`drop index ${name}`);
  }
}

/** Makes those that are missing. @returns each index of the history, with that of each partition */
async function indexPartitions(runner: QueryRunner): Promise<{ index: string; part: string }[]> {
  const partitions = (await runner.query(PARTITIONS)) as { name: string }[];
  const made = [];
  for (const { name: partition } of partitions) {
    for (const [index, columns] of Object.entries(INDEXES)) {
      const part = index + partition.slice(HISTORY.length);
      await runner.query(`create index if not exists ${part} on ${partition} ${columns}`);
      made.push({ index, part });
    }
  }
  return made;
}
