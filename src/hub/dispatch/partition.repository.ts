import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';

const MAKE_AHEAD = statement(
  'make_history_partitions_ahead',
  `
  select make_history_partition((now() at time zone 'UTC')::date + ahead.days)
  from generate_series(0, $1::integer) as ahead (days)
  `,
);

const TRY_DUTY = statement(
  'try_duty',
  `select pg_try_advisory_xact_lock(hashtextextended('duty ' || $1::text, 3)) as mine`,
);

/** SQL of what some replica does for all of them. */
@Injectable()
export class PartitionRepository {
  constructor(private readonly database: Database) {}

  /** Makes the history's partitions of today and so many days to come, as far as they are missing. */
  async makeAhead(days: number): Promise<void> {
    await this.database.transaction(async (run) => {
      const [duty] = await run<{ mine: boolean }>(TRY_DUTY, ['history partitions']);
      if (duty?.mine === true) await run(MAKE_AHEAD, [days]);
    });
  }
}
