import type { RowShape } from '../database/rows-of.js';
import { isOfKey } from './key-rule.columns.js';
import { step } from './trail-step.js';

/** The parts by which an insert that hands commands off differs from one that only stores them: it has none. */
const WITHOUT_HAND_OFF = {
  /** How many parameters they have. */
  parameters: 0,
  held: '',
  given: {},
  about: '',
  join: '',
  facts: '',
  columns: '',
  state: `'pending'`,
  values: '',
  claimStep: '',
  told: '',
};

/** The parts of an insert whose drafts are given in one shape or the other. */
export type HandOffParts = (shape: RowShape) => typeof WITHOUT_HAND_OFF;

export const withoutHandOff: HandOffParts = () => WITHOUT_HAND_OFF;

/**
 * Commands written as claimed by the same statement that stores them, for this replica where it holds the broker's
 * connection, else for the replica that does. The fences are those of a claim: the broker's turn, its connection held under
 * this very epoch, and for a command with an ordering key no live row of that key. For a connection elsewhere the epoch is the
 * row's, and its inventory must have been taken: what that judges was told before this was stored. Of the commands that the
 * owner itself is about to claim the statement knows nothing: the caller keeps their keys apart, and offers for another owner
 * only commands without one. It waits for no turn and no connection, since those who store commands for other brokers would
 * wait with it: where either is not free, the command is stored as any other.
 */
export const handingOff: HandOffParts = ({ rowsOf, orderBy, areOfOneRow }) => ({
  parameters: 3,
  held: `handing as materialized (
    select asked.broker_id, asked.epoch,
           pg_try_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as has_turn
    from (
      select * from (${rowsOf({ broker_id: '$20::uuid[]', epoch: '$21::bigint[]' })}) asked ${orderBy('broker_id')}
    ) asked
  ),
  owned as materialized (
    select connection.broker_id, connection.replica_id, connection.epoch, connection.journal_id,
           connection.window_size, coalesce(floor.seq, 0) as floor
    from handing
    join broker_connection connection on connection.broker_id = handing.broker_id
    left join lateral (
      select * from broker_dispatch_floor floor where floor.broker_id = handing.broker_id offset 0
    ) floor on true
    where handing.has_turn and case
      when handing.epoch is not null then connection.replica_id = $17 and connection.epoch = handing.epoch
      else connection.replica_id <> $17 and floor.ready_epoch = connection.epoch
    end
    ${orderBy('connection.broker_id')}
    for share of connection skip locked
  ),
  `,
  given: { is_offered: '$22::boolean[]' },
  about: `,
           owned.replica_id as claimant, owned.epoch as claim_epoch, owned.journal_id as claim_journal, owned.window_size,
           owned.floor`,
  join: `
    left join owned on ${areOfOneRow('owned.broker_id', 'asked.broker_id')}`,
  facts: `,
           broker.claimant, broker.claim_epoch, broker.claim_journal, broker.window_size,
           input.is_offered and broker.claimant is not null and (
             input.ordering_key is null or not exists (
               select from broker_dispatch other
               where ${isOfKey('other', 'input', 'broker.floor')}
             )
           ) as is_handed`,
  columns: ', attempt, claimed_by, claim_epoch, claim_journal, claimed_at',
  state: `case when is_handed then 'claimed' else 'pending' end`,
  values: `, case when is_handed then 1 else 0 end, case when is_handed then claimant end,
           case when is_handed then claim_epoch end, case when is_handed then claim_journal end,
           case when is_handed then now() end`,
  claimStep: ` || case when is_handed then array[
             ${step({ state: `'claimed'`, replica: 'claimant', epoch: 'claim_epoch', attempt: '1' })}
           ] else '{}' end`,
  told: `, inserted.seq is not null and input.is_handed as "isHanded", input.claim_epoch as "claimEpoch",
         input.window_size as "window"`,
});
