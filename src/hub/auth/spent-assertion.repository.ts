import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';

// The database refuses what its own clock says has ended, and only that is ever swept: whatever the clocks of the
// replicas say, no id is taken again after it was forgotten.
const SPEND = statement(
  'spend_assertion',
  `
  with spent as (
    insert into spent_assertion (jti, expires_at)
    select $1, $2
    where $2::timestamptz > now()
      and exists (select from broker_key where id = $3 and retired_at is null)
    on conflict on constraint spent_assertion_is_spent_once do nothing
    returning jti
  )
  select exists (select from spent) as "isSpent", $2::timestamptz <= now() as "hasEnded", now() as now
  `,
);

const SWEEP = statement(
  'sweep_spent_assertions',
  `
  with locked as (
    select jti
    from spent_assertion
    where expires_at <= now()
    limit $1
    for update skip locked
  )
  delete from spent_assertion
  using locked
  where spent_assertion.jti = locked.jti
  returning spent_assertion.jti
  `,
);

/** SQL of the assertions that were used. */
@Injectable()
export class SpentAssertionRepository {
  constructor(private readonly database: Database) {}

  /** Uses an assertion up, if it was not used, has not ended, and its key is still live. */
  async spend(
    jti: string,
    endsAt: Date,
    keyId: string,
  ): Promise<{ isSpent: boolean; hasEnded: boolean; now: Date }> {
    type Row = { isSpent: boolean; hasEnded: boolean; now: Date };
    const [row] = await this.database.run<Row>(SPEND, [jti, endsAt, keyId]);
    if (row === undefined) throw new Error('a select of one row gave none');
    return row;
  }

  /** Forgets assertions that have ended. @returns how many, at most `most` */
  async sweep(most: number): Promise<number> {
    return (await this.database.run(SWEEP, [most])).length;
  }
}
