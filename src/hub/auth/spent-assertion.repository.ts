import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
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
      and exists (
        select from broker_key
        where id = $3 and retired_at is null and (confirm_by is null or confirm_by > now())
      )
    on conflict on constraint spent_assertion_is_spent_once do nothing
    returning jti
  )
  select exists (select from spent) as "isSpent", $2::timestamptz <= now() as "hasEnded", now() as now
  `,
);

// In the order of their ids, so that two replicas to which the same ones are shown do not wait for each other.
const SPEND_PROOFS = statement(
  'spend_proofs_of_brokers',
  `
  with shown as (
    select jti, ends_at, broker_id, public_key
    from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[]) as shown (jti, ends_at, broker_id, public_key)
  ),
  spent as (
    insert into spent_assertion (jti, expires_at)
    select shown.jti, shown.ends_at
    from shown
    where shown.ends_at > now()
      and exists (
        select from broker_key key
        where key.public_key = shown.public_key and key.broker_id = shown.broker_id and key.retired_at is null
          and (key.confirm_by is null or key.confirm_by > now())
      )
    order by shown.jti
    on conflict on constraint spent_assertion_is_spent_once do nothing
    returning jti
  )
  select now() as now, coalesce((select array_agg(jti) from spent), '{}') as spent
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

/** A proof as it is spent: whose it is, and by which key. */
export type SpentProof = { jti: string; endsAt: Date; brokerId: string; publicKey: string };

/** SQL of the assertions and proofs that were used. */
@Injectable()
export class SpentAssertionRepository {
  constructor(private readonly database: Database) {}

  /** Uses an assertion up, if it was not used, has not ended, and its key is still live. */
  async spend(
    jti: string,
    endsAt: Date,
    keyId: string,
    run: Run = this.database.run,
  ): Promise<{ isSpent: boolean; hasEnded: boolean; now: Date }> {
    type Row = { isSpent: boolean; hasEnded: boolean; now: Date };
    const [row] = await run<Row>(SPEND, [jti, endsAt, keyId]);
    if (row === undefined) throw new Error('a select of one row gave none');
    return row;
  }

  /** Uses proofs up that were not used, have not ended, and whose keys are live. @returns which of them */
  async spendProofs(proofs: readonly SpentProof[]): Promise<{ now: Date; spent: ReadonlySet<string> }> {
    const [row] = await this.database.run<{ now: Date; spent: string[] }>(SPEND_PROOFS, [
      proofs.map(({ jti }) => jti),
      proofs.map(({ endsAt }) => endsAt),
      proofs.map(({ brokerId }) => brokerId),
      proofs.map(({ publicKey }) => publicKey),
    ]);
    if (row === undefined) throw new Error('a select of one row gave none');
    return { now: row.now, spent: new Set(row.spent) };
  }

  /** Forgets assertions and proofs that have ended. @returns how many, at most `most` */
  async sweep(most: number): Promise<number> {
    return (await this.database.run(SWEEP, [most])).length;
  }
}
