import { setTimeout as rest } from 'node:timers/promises';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLE = 'broker_dispatch';
const INDEX = `${TABLE}_of_project_in_order`;
const BEFORE = `${TABLE}_of_project`;

/** As long as a timer can be set for, which is weeks. */
const LONGEST_MS = 2 ** 31 - 1;
const TRY_EVERY_MS = 1_000;

/**
 * The live commands of a project stand in the order of `seq`, so that they are counted from the lowest that is alive on. In one of
 * the project alone each count walks all that has ended and that an old transaction keeps. Neither column ever changes, so updates of
 * live commands stay heap-only. The release before counts by the new one as well.
 *
 * Locks: none that holds up reads or writes. The new index is made, and then the one before it dropped, each in a statement of its own,
 * concurrently: that waits for the transactions that wrote to the table or have a snapshot which is older, and no limit of its session
 * holds for that. Whatever its end, one run after the other goes on: an index that was left half made is made anew, where no server
 * is still at it for somebody who is gone.
 */
export class IndexProjectBySeq1790000000035 implements MigrationInterface {
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await withoutLimits(runner, async () => {
      await dropHalfMade(runner);
      await atLength(
        runner,
        `create index concurrently if not exists ${INDEX} on ${TABLE} (project_id, seq) where project_id is not null`,
      );
      await atLength(runner, `drop index concurrently if exists ${BEFORE}`);
    });
  }

  /** Against writes while the live commands are read once. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create index if not exists ${BEFORE} on ${TABLE} (project_id) where project_id is not null`,
    );
    await runner.query(`drop index if exists ${INDEX}`);
  }
}

const HALF_MADE = `select from pg_index where indexrelid = to_regclass('${INDEX}') and not indisvalid`;
const BUILDERS = `
  select from pg_locks
  where relation = '${TABLE}'::regclass and database = (select oid from pg_database where datname = current_database())
    and mode = 'ShareUpdateExclusiveLock' and granted`;

/** It is looked again and again whether somebody is at it: whoever waits for the lock may cost it the index. */
async function dropHalfMade(runner: QueryRunner): Promise<void> {
  while (await has(runner, HALF_MADE)) {
    if (await has(runner, BUILDERS)) await rest(TRY_EVERY_MS);
    else await atLength(runner, `drop index concurrently if exists ${INDEX}`);
  }
}

async function has(runner: QueryRunner, query: string): Promise<boolean> {
  return ((await runner.query(query)) as object[]).length > 0;
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
