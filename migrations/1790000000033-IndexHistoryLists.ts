import { setTimeout as rest } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const HISTORY = 'broker_dispatch_history';

/** What succeeded without a project and without an agent stands in none of them: to end it costs what it did. */
const INDEXES: Readonly<Record<string, string>> = {
  [`${HISTORY}_of_project`]: '(project_id, id) where project_id is not null',
  [`${HISTORY}_of_agent`]: '(agent_id, id) where agent_id is not null',
  [`${HISTORY}_of_exceptions`]: `(state, id) where state in ('failed', 'cancelled', 'expired', 'dead')`,
};

/** What takes a second or more is told. */
const TOLD_FROM_MIB = 64;
/** As long as a timer can be set for, which is weeks. */
const LONGEST_MS = 2 ** 31 - 1;
/** Longer than any statement of a hub may take, which lets go of its locks by then. */
const TRIES = 60;
const TRY_EVERY_MS = 1_000;

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
 * The release before makes partitions as it did, which have these indexes too: as soon as the history has them, whatever is made
 * like it or attached to it gets them.
 *
 * Locks: none that holds up reads or writes while partitions are read, one after the other and each index in a statement of its
 * own, concurrently; of less than a MiB, as are those of days to come, against writes for a moment. Then the history against writes,
 * and each index of a partition against all, for the moments in which they are put together. Whoever waits for such a moment
 * gives up after 200 ms, so that nobody waits behind it for longer, and tries again a second later.
 *
 * It takes as long as the history takes to be read, twice for each index, and no limit of its session holds for that. Each index
 * waits besides for all transactions that have a snapshot which is older: one that is left open holds up the migration until it
 * ends, and the retention of the one partition, and nothing else. The transaction that has the lock of migrations has no snapshot.
 *
 * One that was cut short, wherever that was, goes on there: indexes of partitions that are whole are kept, be they made by this
 * migration or by hand under the names that are used here, and one that was left half made is made anew. A server may still be at
 * such a one, for somebody who is gone: it is waited for.
 */
export class IndexHistoryLists1790000000033 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await withoutLimits(runner, () => untilDone(() => buildNext(runner)));
    for (const [name, columns] of Object.entries(INDEXES)) {
      const create = `create index if not exists ${name} on only ${HISTORY} ${columns}`;
      await untilDone(() => briefly(runner, create));
    }
    // Of partitions that were made before the history had them, and after the others were built.
    await withoutLimits(runner, () => untilDone(() => buildNext(runner)));
    await untilDone(() => attachNext(runner));
    await runner.query(TRY_PARTITION);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop function if exists try_history_partition(date)`);
    for (const name of Object.keys(INDEXES).reverse()) await runner.query(`drop index if exists ${name}`);
  }
}

/** An index of a partition that is not a part of that of the history yet. */
type Apart = {
  partition: string;
  index: string;
  part: string;
  /** null where there is none. */
  isValid: boolean | null;
  mib: number;
};

const APART = `
      select child.relname as partition, wanted.index, wanted.part, made.indisvalid as "isValid",
             pg_relation_size(child.oid) / 1048576 as mib
      from pg_inherits
      join pg_class child on child.oid = pg_inherits.inhrelid
      cross join lateral (
        select index, index || substr(child.relname, length('${HISTORY}') + 1) as part
        from unnest(array['${Object.keys(INDEXES).join(`', '`)}']) as index
      ) wanted
      left join pg_index made on made.indexrelid = to_regclass(wanted.part)
      where pg_inherits.inhparent = '${HISTORY}'::regclass
        and not exists (
          select
          from pg_inherits attached
          join pg_index part on part.indexrelid = attached.inhrelid
          where attached.inhparent = to_regclass(wanted.index) and part.indrelid = child.oid
        )
      order by child.relname = '${HISTORY}_default', child.relname, wanted.index`;

/** @returns whether there may be more to do */
async function buildNext(runner: QueryRunner): Promise<boolean> {
  const apart = (await runner.query(APART)) as Apart[];
  const next = apart.find(({ isValid }) => isValid !== true);
  if (next === undefined) return false;
  const { partition, index, part, isValid, mib } = next;
  if (isValid === false && !(await isLeftover(runner, next))) return true;
  if (mib >= TOLD_FROM_MIB) new Logger('database').log(`builds ${part}, for which it reads ${mib} MiB twice`);
  if (isValid === false) await atLength(runner, `drop index concurrently if exists ${part}`);
  const on = `${part} on ${partition} ${INDEXES[index]}`;
  if (mib < 1) await briefly(runner, `create index ${on}`);
  else await atLength(runner, `create index concurrently ${on}`);
  return true;
}

/**
 * A server may still be at an index for somebody who is gone, and has a lock on the partition for as long. It is looked for again and again:
 * whoever waits for that lock may be waited for by the server in turn, which then gives the index up.
 */
async function isLeftover(runner: QueryRunner, { partition, part }: Apart): Promise<boolean> {
  const builders = `
    select from pg_locks
    where relation = to_regclass('${partition}') and database = (select oid from pg_database where datname = current_database())
      and mode = 'ShareUpdateExclusiveLock' and granted`;
  while (((await runner.query(builders)) as object[]).length > 0) await rest(TRY_EVERY_MS);
  const still = (await runner.query(
    `select from pg_index where indexrelid = to_regclass('${part}') and not indisvalid`,
  )) as object[];
  return still.length > 0;
}

/** @returns whether there may be more to do */
async function attachNext(runner: QueryRunner): Promise<boolean> {
  const [next] = (await runner.query(APART)) as Apart[];
  if (next === undefined) return false;
  await briefly(runner, `alter index ${next.index} attach partition ${next.part}`);
  return true;
}

/** Two statements in one message are one transaction, also where a pooler lends its session for that alone. */
async function briefly(runner: QueryRunner, statement: string): Promise<boolean> {
  await runner.query(`set local lock_timeout = '200ms'; ${statement}`);
  return false;
}

/** The driver has a limit for each answer, too, which a statement can have otherwise for itself. */
async function atLength(runner: QueryRunner, statement: string): Promise<void> {
  const client = (await runner.connect()) as {
    query(query: { text: string; query_timeout: number }): Promise<unknown>;
  };
  await client.query({ text: statement, query_timeout: LONGEST_MS });
}

const LIMITS = `name in ('statement_timeout', 'lock_timeout')`;

/**
 * What a client has asked for when its session began is lifted; through a pooler it asked for nothing, and the session is others'
 * too.
 */
async function withoutLimits(runner: QueryRunner, work: () => Promise<void>): Promise<void> {
  await runner.query(
    `select set_config(name, '0', false) from pg_settings where ${LIMITS} and source = 'client'`,
  );
  try {
    await work();
  } finally {
    // Where the session is over, so is what was set in it: what ended it is told, and not this.
    await runner
      .query(
        `select set_config(name, reset_val, false) from pg_settings where ${LIMITS} and source = 'session'`,
      )
      .catch(() => undefined);
  }
}

/**
 * Deadlock, lock not had in time, partition dropped by retention, index made meanwhile by a server that was still at it: what
 * is left to do is looked up again.
 */
const PASSING = ['40P01', '55P03', '42P01', '42P07'];

/** Does one step after the other. @param step gives whether there may be more to do */
async function untilDone(step: () => Promise<boolean>): Promise<void> {
  let failures = 0;
  for (;;) {
    try {
      if (!(await step())) return;
      failures = 0;
    } catch (error) {
      failures += 1;
      const { code } = error as { code?: unknown };
      if (failures === TRIES || !PASSING.some((passing) => passing === code)) throw error;
      await rest(TRY_EVERY_MS);
    }
  }
}
