import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import { LastGood } from '../lifecycle/last-good.js';
import { DatabaseUnavailable, hasSqlState, isLockTimeout, isOutage, isRetryable } from './database.errors.js';
import { endOf } from './farewell.js';
import { statement, type Statement } from './statement.js';

/** Runs one statement and gives its rows. */
export type Run = <R>(statement: Statement, values?: readonly unknown[]) => Promise<R[]>;

const DEADLOCK_TRIES = 5;

/**
 * The one way to the database: named prepared statements on the pool of the one DataSource; without their names where
 * the pool leads through a pooler, see PooledClient.
 *
 * An outage comes out as DatabaseUnavailable; every other error of the server passes through as it is.
 */
@Injectable()
export class Database {
  private slowestMs = 0;

  /** When the server last had an answer for somebody, whatever it was: a pool that is merely busy has some all the while. */
  readonly answers = new LastGood();

  constructor(private readonly dataSource: DataSource) {}

  /** One statement, in a transaction of its own; done again when the server broke a deadlock with it. */
  run: Run = async <R>(statement: Statement, values: readonly unknown[] = []) =>
    this.untilUnbroken((client) => execute<R>(client, statement, values));

  /**
   * One statement that is planned for its values, where sessions otherwise plan once for any: for lists with filters that
   * may be left out.
   */
  runPlanned: Run = async <R>(statement: Statement, values: readonly unknown[] = []) =>
    this.transaction(async (run) => {
      await run(PLAN_FOR_VALUES);
      return run<R>(statement, values);
    });

  /**
   * A transaction on one connection: every statement of `work` must go through the `Run` it is given. It is
   * rolled back when `work` throws, and done again when the server broke a deadlock with it.
   */
  async transaction<T>(work: (run: Run) => Promise<T>): Promise<T> {
    return this.untilUnbroken((client) => transact(client, work));
  }

  private async untilUnbroken<T>(use: (client: PoolClient) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.lend(use);
      } catch (error) {
        if (!isRetryable(error) || tries === DEADLOCK_TRIES) throw error;
      }
    }
  }

  /** Milliseconds of the slowest statement or transaction that ended since this was last asked, with its wait for a connection. */
  takeSlowestMs(): number {
    const slowest = this.slowestMs;
    this.slowestMs = 0;
    return slowest;
  }

  private async lend<T>(use: (client: PoolClient) => Promise<T>): Promise<T> {
    const askedAt = performance.now();
    const [client, release] = await borrow(this.dataSource);
    try {
      const outcome = await use(client);
      this.answers.note(performance.now());
      return outcome;
    } catch (error) {
      if (!isOutage(error) || isLockTimeout(error)) this.answers.note(performance.now());
      throw error;
    } finally {
      release();
      this.slowestMs = Math.max(this.slowestMs, performance.now() - askedAt);
    }
  }
}

/**
 * What a query runner would hand out, without the entity manager that comes with each. The pool itself drops a
 * connection that is given back dead.
 */
async function borrow({ driver }: DataSource): Promise<[PoolClient, () => void]> {
  try {
    return (await (driver as PostgresDriver).obtainMasterConnection()) as [PoolClient, () => void];
  } catch (error) {
    // Without a connection nothing was asked of the server.
    throw new DatabaseUnavailable(error, 'no_effect');
  }
}

async function execute<R>(
  client: PoolClient,
  statement: Statement,
  values: readonly unknown[],
  whereItBreaks: DatabaseUnavailable['statement'] = 'in_doubt',
): Promise<R[]> {
  try {
    const result = await client.query({ ...statement, values: values as unknown[] });
    return result.rows as R[];
  } catch (error) {
    if (!isOutage(error)) throw error;
    // A connection in doubt must not go back to the pool; the pool drops one that has ended.
    void endOf(client);
    // The server refuses before it commits, so where it still could say why, there was no effect. A fault of the
    // connection (class 08) is a pooler's word instead, which knows no more than we do of what the server did.
    const isServersWord = hasSqlState(error) && !error.code.startsWith('08');
    throw new DatabaseUnavailable(error, isServersWord ? 'no_effect' : whereItBreaks);
  }
}

const PLAN_FOR_VALUES = statement('plan_for_values', `set local plan_cache_mode = force_custom_plan`);
const BEGIN: Statement = { name: 'begin', text: 'begin' };
const COMMIT: Statement = { name: 'commit', text: 'commit' };

async function transact<T>(client: PoolClient, work: (run: Run) => Promise<T>): Promise<T> {
  // A transaction that breaks before its commit was asked for is undone by the server.
  await execute(client, BEGIN, [], 'no_effect');
  let outcome: T;
  try {
    outcome = await work((statement, values = []) => execute(client, statement, values, 'no_effect'));
  } catch (error) {
    // Where the rollback fails the connection must end, and the transaction with it.
    await client.query('rollback').catch(() => void endOf(client));
    throw error;
  }
  await execute(client, COMMIT, [], 'commit_in_doubt');
  return outcome;
}
