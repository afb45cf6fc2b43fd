import { step } from './trail-step.js';

/** The parts by which an insert that hands commands off differs from one that only stores them: it has none. */
export const WITHOUT_HAND_OFF = {
  held: '',
  array: '',
  given: '',
  joins: '',
  facts: '',
  columns: '',
  state: `'pending'`,
  values: '',
  claimStep: '',
  told: '',
};

/**
 * Commands for brokers whose connections this replica holds, written as claimed by the same statement that stores them.
 * The fences are those of a claim: the broker's turn, its connection held under this very epoch, and for a command with an
 * ordering key no live row of that key. Of the commands that this replica itself is about to claim the statement knows
 * nothing: the caller keeps their keys apart. It waits for no turn and no connection, since those who store commands for
 * other brokers would wait with it: where either is not free, the command is stored as any other.
 */
export const HANDING_OFF: typeof WITHOUT_HAND_OFF = {
  held: `handing as materialized (
    select asked.broker_id, asked.epoch,
           pg_try_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as has_turn
    from (
      select * from unnest($21::uuid[], $22::bigint[]) as asked (broker_id, epoch) order by broker_id
    ) asked
  ),
  owned as materialized (
    select connection.broker_id, connection.epoch, connection.journal_id, coalesce(floor.seq, 0) as floor
    from handing
    join broker_connection connection on connection.broker_id = handing.broker_id
    left join broker_dispatch_floor floor on floor.broker_id = handing.broker_id
    where handing.has_turn and connection.replica_id = $17 and connection.epoch = handing.epoch
    order by connection.broker_id
    for share of connection skip locked
  ),
  `,
  array: ', $23::boolean[]',
  given: ', is_offered',
  joins: `
    left join owned on owned.broker_id = input.broker_id`,
  facts: `,
           owned.epoch as claim_epoch, owned.journal_id as claim_journal,
           input.is_offered and owned.broker_id is not null and (
             input.ordering_key is null or not exists (
               select from broker_dispatch other
               where other.broker_id = input.broker_id and other.ordering_key = input.ordering_key
                 and other.seq >= owned.floor
             )
           ) as is_handed`,
  columns: ', attempt, claimed_by, claim_epoch, claim_journal, claimed_at',
  state: `case when is_handed then 'claimed' else 'pending' end`,
  values: `, case when is_handed then 1 else 0 end, case when is_handed then $17::uuid end,
           case when is_handed then claim_epoch end, case when is_handed then claim_journal end,
           case when is_handed then now() end`,
  claimStep: ` || case when is_handed then array[
             ${step({ state: `'claimed'`, replica: '$17::uuid', epoch: 'claim_epoch', attempt: '1' })}
           ] else '{}' end`,
  told: ', inserted.seq is not null and input.is_handed as "isHanded"',
};
