import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { rowsOf } from '../database/rows-of.js';
import { statement } from '../database/statement.js';
import { floorOf } from './floor.columns.js';
import { LINK_BOUND, statesBefore } from './state.js';

/** A link whose inventory was told. */
export type Arrival = { brokerId: string; epoch: number };

/** A link on which its inventory changes nothing, and from where on the rows of its broker are read. */
export type Quiet = Arrival & { floor: number };

/**
 * Of how many live rows a broker is looked at. No index knows what is out, so all of them must be walked, and those who
 * arrive together wait for one another: who has as many is judged alone.
 */
const WALKED_MOST = 32;

// A connect has its broker's turn alone, which a claim shares, and is committed before the inventory is told: what was
// claimed for an earlier link is all seen here, and more of it cannot follow. What the very link was sent is passed
// over, as an inventory's judgement does. A command that is stored in this very moment is met as it is by the single
// statements: by whoever stored it, or by a sweep. No connection is held: an epoch that is over by the time at which
// it is written says of no newer link that its inventory was taken.
const MARK_QUIET = statement(
  'mark_quiet_brokers_ready',
  `
  with owned as materialized (
    select asked.broker_id, asked.epoch,
           ${floorOf('asked.broker_id')} as floor
    from (${rowsOf({ broker_id: '$2::uuid[]', epoch: '$3::bigint[]' })}) asked
    cross join lateral (
      select
      from broker_connection connection
      where connection.broker_id = asked.broker_id and connection.replica_id = $1 and connection.epoch = asked.epoch
      offset 0
    ) connection
  ),
  quiet as materialized (
    select owned.broker_id, owned.epoch
    from owned
    cross join lateral (
      select count(*) as walked,
             coalesce(bool_or(ahead.state = any ($4::text[]) and ahead.claim_epoch <> owned.epoch), false) as has_out,
             coalesce(bool_or(ahead.contract = any ($5::text[])), false) as has_bound
      from (
        select dispatch.state, dispatch.claim_epoch, dispatch.contract
        from broker_dispatch dispatch
        where dispatch.broker_id = owned.broker_id and dispatch.seq >= owned.floor
        order by dispatch.seq
        limit $6
      ) ahead
    ) live
    where live.walked < $6 and not live.has_out and not live.has_bound
  )
  insert into broker_dispatch_floor as kept (broker_id, seq, ready_epoch)
  select quiet.broker_id, 0, quiet.epoch
  from quiet
  order by quiet.broker_id
  on conflict (broker_id) do update
  set ready_epoch = greatest(kept.ready_epoch, excluded.ready_epoch)
  returning kept.broker_id as "brokerId", kept.ready_epoch as epoch, kept.seq as floor
  `,
);

/** SQL of brokers that come back with nothing out and nothing that is bound to a link. */
@Injectable()
export class QuietRepository {
  constructor(private readonly database: Database) {}

  /**
   * Notes of those of them that are quiet, and that this replica owns by these very links, that their inventories were
   * taken. Of the others nothing is changed. A broker with 32 live rows or more is never found to be quiet.
   *
   * @param arrivals no link twice
   */
  async markReady(replicaId: string, arrivals: readonly Arrival[]): Promise<Quiet[]> {
    return this.database.run(MARK_QUIET, [
      replicaId,
      arrivals.map(({ brokerId }) => brokerId),
      arrivals.map(({ epoch }) => epoch),
      statesBefore('adopt'),
      LINK_BOUND,
      WALKED_MOST,
    ]);
  }
}
