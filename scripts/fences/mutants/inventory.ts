import { mutantsOf } from '../mutant.js';

const SPEC = 'test/integration/fences-inventory.spec.ts';

export const INVENTORY = [
  ...mutantsOf('reconcile_inventory', SPEC, [
    [
      'judges for a replica that is not the owner',
      'and connection.replica_id = $2',
      'and $2::uuid is not null',
    ],
    ['judges for a link that is over', 'and connection.epoch = $3', ''],
    ['does not hold the connection', 'for share of connection', ''],
    ['adopts what is put back meanwhile', 'for update of dispatch', ''],
    ['judges the rows of other brokers', 'dispatch.broker_id = owned.broker_id and', ''],
    ['judges what this very link was sent', 'and dispatch.claim_epoch <> $3', ''],
    ['adopts another attempt', 'and said.attempt = dispatch.attempt', ''],
    [
      'sends again what an older journal lost',
      'and dispatch.state = any ($14::text[])',
      'and $14::text[] is not null',
    ],
    [
      'takes what another journal was sent for never begun',
      'when said.status is null and dispatch.claim_journal = $4',
      'when said.status is null',
    ],
    [
      'takes what was begun and lost for never begun',
      'when said.status is null and',
      `when said.status is distinct from 'running' and`,
    ],
    ['puts back what was given up', `when dispatch.cancel_requested_at is not null then 'cancel'`, ''],
    [
      'puts back what was bound to the old link',
      `when dispatch.contract = any ($13::text[]) then 'lapse'`,
      '',
    ],
    [
      'does again what may not be repeated',
      `when dispatch.op <> all ($8::text[]) then 'fail'`,
      'when $8::text[] is null then null',
    ],
    [
      'does again what was given up',
      `when dispatch.cancel_requested_at is not null or dispatch.contract`,
      'when dispatch.contract',
    ],
    [
      'does again what was bound to the old link',
      `or dispatch.contract = any ($13::text[]) then 'fail'`,
      `then 'fail'`,
    ],
    [
      'puts back what is past its deadline',
      `when dispatch.deadline_at <= now() then 'expire'
               else 'requeue'`,
      `else 'requeue'`,
    ],
    [
      'does again what is past its deadline',
      `when dispatch.deadline_at <= now() then 'expire'
             when`,
      'when',
    ],
    ['says of what was lost that it had no effect', 'and out.was_never_begun', ''],
    [
      'says of what failed before that it had no effect',
      `out.was_never_begun and dispatch.failures = 0`,
      'out.was_never_begun',
    ],
    ['does again without end', 'dispatch.failures + 1 >= dispatch.max_failures', 'false'],
    ['does not count what was lost', `case when out.verdict = 'retry' then 1 else 0 end`, '0'],
    ['blames a row for what was never begun', `case when out.verdict = 'retry' then 1 else 0 end`, '1'],
    [
      'puts back with the owner',
      'claimed_by = case when out.is_held then $2::uuid end',
      'claimed_by = $2::uuid',
    ],
    [
      'puts back with the epoch',
      'claim_epoch = case when out.is_held then $3::bigint end',
      'claim_epoch = $3::bigint',
    ],
    [
      'puts back with the journal',
      'claim_journal = case when out.is_held then $4::uuid end',
      'claim_journal = $4::uuid',
    ],
    [
      'leaves what it adopts to the old epoch',
      'claim_epoch = case when out.is_held then $3::bigint end',
      'claim_epoch = case when out.is_held then dispatch.claim_epoch end',
    ],
    [
      'leaves what it adopts to the old owner',
      'claimed_by = case when out.is_held then $2::uuid end',
      'claimed_by = case when out.is_held then dispatch.claimed_by end',
    ],
  ]),
  ...mutantsOf('mark_quiet_brokers_ready', SPEC, [
    [
      'believes a replica that is not the owner',
      'and connection.replica_id = $1',
      'and $1::uuid is not null',
    ],
    ['believes an epoch that is over', 'and connection.epoch = asked.epoch', ''],
    ['looks at the rows of other brokers', 'dispatch.broker_id = owned.broker_id and', ''],
    ['looks below the floor', 'and dispatch.seq >= owned.floor', ''],
    ['begins past the floor', 'dispatch.seq >= owned.floor', 'dispatch.seq > owned.floor'],
    [
      'takes what waits for what is out',
      'ahead.state = any ($4::text[]) and ahead.claim_epoch <> owned.epoch',
      `ahead.state = any ($4::text[] || '{pending}') and coalesce(ahead.claim_epoch <> owned.epoch, true)`,
    ],
    ['judges what this very link was sent', 'and ahead.claim_epoch <> owned.epoch', ''],
    ['takes a broker for quiet with which something is out', 'and not live.has_out', ''],
    ['takes a broker for quiet of which something is bound to a link', 'and not live.has_bound', ''],
    ['takes a broker for quiet that it has not seen all of', 'live.walked < $6 and', ''],
    [
      'lets the epoch that is ready sink',
      'greatest(kept.ready_epoch, excluded.ready_epoch)',
      'excluded.ready_epoch',
    ],
  ]),
];
