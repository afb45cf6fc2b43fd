import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database.js';
import { statement } from '../../database/statement.js';

// What the database's clock says is out of the window is refused, and only what is out of it is swept: no nonce is
// taken again after it was forgotten, whatever the clocks of the replicas say.
const SPEND = statement(
  'spend_peer_nonce',
  `
  with spent as (
    insert into peer_nonce (nonce, expires_at)
    select $1, $2::timestamptz + interval '60 seconds'
    where $2::timestamptz > now() - interval '60 seconds'
      and $2::timestamptz < now() + interval '60 seconds'
    on conflict on constraint peer_nonce_is_spent_once do nothing
    returning nonce
  )
  select exists (select from spent) as "isSpent",
         $2::timestamptz > now() - interval '60 seconds'
           and $2::timestamptz < now() + interval '60 seconds' as "isCurrent",
         now() as now
  `,
);

const SWEEP = statement(
  'sweep_peer_nonces',
  `
  with locked as (
    select nonce
    from peer_nonce
    where expires_at <= now()
    limit $1
    for update skip locked
  )
  delete from peer_nonce
  using locked
  where peer_nonce.nonce = locked.nonce
  returning peer_nonce.nonce
  `,
);

type Spent = { isSpent: boolean; isCurrent: boolean; now: Date };

/** SQL of the signed calls that were taken. */
@Injectable()
export class PeerNonceRepository {
  constructor(private readonly database: Database) {}

  /** Uses a nonce up, if its time is within 60 s of the database's, and it was not used. */
  async spend(nonce: string, signedAt: Date): Promise<Spent> {
    const [row] = await this.database.run<Spent>(SPEND, [nonce, signedAt]);
    if (row === undefined) throw new Error('a select of one row gave none');
    return row;
  }

  /** Forgets what nobody would take any more. @returns how many, at most `most` */
  async sweep(most: number): Promise<number> {
    return (await this.database.run(SWEEP, [most])).length;
  }
}
