import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';

const MISSING = statement(
  'find_missing_history_partitions',
  `
  select to_char(ahead.day, 'YYYY-MM-DD') as day
  from (
    select (now() at time zone 'UTC')::date + days as day from generate_series(0, $1::integer) as days
  ) ahead
  where to_regclass('broker_dispatch_history_p' || to_char(ahead.day, 'YYYYMMDD')) is null
  order by ahead.day
  `,
);

const MAKE = statement('make_history_partition', `select try_history_partition($1::date) as made`);

const TRY_DUTY = statement(
  'try_duty',
  `select pg_try_advisory_xact_lock(hashtextextended('duty ' || $1::text, 3)) as mine`,
);

// A day is over the retention when its last moment is.
const OLD = statement(
  'find_old_history_partitions',
  `
  select to_char(to_date(right(child.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
  from pg_inherits
  join pg_class child on child.oid = pg_inherits.inhrelid
  where pg_inherits.inhparent = 'broker_dispatch_history'::regclass
    and case when child.relname ~ '^broker_dispatch_history_p[0-9]{8}$'
          then to_date(right(child.relname, 8), 'YYYYMMDD') < (now() at time zone 'UTC')::date - $1::integer
          else false
        end
  order by child.relname
  `,
);

const DROP = statement('drop_history_partition', `select drop_history_partition($1::date) as dropped`);

// What ended when its day was dropped already is kept for as long as keys are, so that its caller can learn the end.
const FORGET_CAUGHT = statement(
  'forget_caught_history',
  `
  with old as (
    select id
    from broker_dispatch_history_default
    where id < first_uuid_of((now() at time zone 'UTC')::date - $1::integer)
      and ended_at < now() - interval '24 hours'
    order by id
    limit $2
  )
  delete from broker_dispatch_history_default caught
  using old
  where caught.id = old.id
  returning caught.id
  `,
);

const MAKING = 'history partitions';
const RETENTION = 'history retention';

/** SQL of what some replica does for all of them. */
@Injectable()
export class PartitionRepository {
  constructor(private readonly database: Database) {}

  /** Of today and so many days to come (UTC) those that have no partition yet, soonest first. */
  async missing(daysAhead: number): Promise<string[]> {
    return (await this.database.run<{ day: string }>(MISSING, [daysAhead])).map(({ day }) => day);
  }

  /** @returns false where somebody else is at it, or at the history */
  async make(day: string): Promise<boolean> {
    const done = await this.onDuty(MAKING, (run) => run<{ made: boolean }>(MAKE, [day]));
    return done?.[0]?.made === true;
  }

  /** The days (UTC) whose partitions hold nothing that is younger than so many days, oldest first. */
  async old(days: number): Promise<string[]> {
    return (await this.database.run<{ day: string }>(OLD, [days])).map(({ day }) => day);
  }

  /** @returns false where somebody else is at it, or at the history */
  async drop(day: string): Promise<boolean> {
    const done = await this.onDuty(RETENTION, (run) => run<{ dropped: boolean }>(DROP, [day]));
    return done?.[0]?.dropped === true;
  }

  /**
   * Deletes what is as old from the partition that catches what has none.
   *
   * @returns how many, at most `most`; undefined where somebody else is at it
   */
  async forgetCaught(days: number, most: number): Promise<number | undefined> {
    return (await this.onDuty(RETENTION, (run) => run(FORGET_CAUGHT, [days, most])))?.length;
  }

  /** Does the work unless another replica is at this duty: one transaction, whose lock it is. */
  private async onDuty<R>(name: string, work: (run: Run) => Promise<R>): Promise<R | undefined> {
    return this.database.transaction(async (run) => {
      const [duty] = await run<{ mine: boolean }>(TRY_DUTY, [name]);
      return duty?.mine === true ? work(run) : undefined;
    });
  }
}
