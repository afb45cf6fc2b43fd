import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-ownership.spec.ts';
const STAY_SPEC = 'test/integration/fences-stay.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';

export const OWNERSHIP = [
  ...mutantsOf('lock_broker_for_connect', SPEC, [
    [
      'does not take turns with the claims',
      'pg_advisory_xact_lock(hashtextextended($1::text, 1))',
      '$1::text',
    ],
  ]),
  ...mutantsOf('lock_brokers_for_connects', TURNS_SPEC, [
    [
      'takes the turns that others have',
      'pg_try_advisory_xact_lock(hashtextextended(asked.id::text, 1))',
      'true',
    ],
  ]),
  ...mutantsOf('connect_brokers', SPEC, [
    ['forgets what the broker saw last', 'greatest(held.epoch + 1, excluded.epoch)', 'held.epoch + 1'],
    ['forgets what is stored', 'greatest(held.epoch + 1, excluded.epoch)', 'excluded.epoch'],
    [
      'takes the epoch that there was',
      'greatest(held.epoch + 1, excluded.epoch)',
      'greatest(held.epoch, excluded.epoch - 1)',
    ],
    [
      'leaves the revision to what an older link says late',
      'capabilities_revision = broker.capabilities_revision + 1',
      'capabilities_revision = broker.capabilities_revision',
    ],
    ['admits a revoked broker', 'not known.is_revoked and', ''],
    ['overlooks a revocation that is on its way', 'for no key update of broker', ''],
    ['overlooks that a broker is being detached', 'for no key update of attachment', ''],
    ['puts on what was detached', 'attachment.detached_at is null and', ''],
    ['admits at a replica that drains or is gone', `and state in ('starting', 'active')`, ''],
    ['admits wherever a replica is', 'and exists (select from admitting)', ''],
    ['ends again a stay that is over', 'and stay.end_reason is null', ''],
    ['ends the stays of other epochs', 'and stay.epoch between former.epoch and former.epoch', ''],
    ['flags a key that is retired', 'and broker_key.retired_at is null', ''],
    ['flags by what another instance does not do', `and displaced.end_reason = 'another_instance'`, ''],
    ['counts what one instance does', `and earlier.end_reason = 'another_instance'`, ''],
    ['counts what is long ago', `and earlier.ended_at > statement_timestamp() - interval '1 minute'`, ''],
    ['flags once too soon', '>= 2', '>= 1'],
    ['flags once too late', '>= 2', '>= 3'],
  ]),
  ...mutantsOf('replace_capabilities', SPEC, [
    ['takes a revision that is past', 'and capabilities_revision < $4::bigint', ''],
    [
      'takes the same revision again',
      'capabilities_revision < $4::bigint',
      'capabilities_revision <= $4::bigint',
    ],
    ['believes an older link', 'and held.epoch = $2::bigint', 'and $2::bigint is not null'],
  ]),
  ...mutantsOf('release_connections', SPEC, [
    ['releases what another replica holds', 'connection.replica_id = $1 and', '$1::uuid is not null and'],
    ['releases what an old socket held', 'and connection.epoch = leaving.epoch', ''],
    ['does not release', 'set replica_id = null', 'set replica_id = connection.replica_id'],
    ['ends the stays of other epochs', 'and stay.epoch = locked.epoch', ''],
    [
      'forgets how long the broker was silent',
      'now() - make_interval(secs => locked.silence_ms / 1000)',
      'now()',
    ],
  ]),
  ...mutantsOf('release_connections', TURNS_SPEC, [
    ['releases what was taken meanwhile', 'for update of connection', ''],
  ]),
  ...mutantsOf('take_connection_away', STAY_SPEC, [
    ['takes what nobody holds', 'and replica_id is not null', ''],
    ['overlooks a release that is on its way', 'for update', ''],
    ['does not release', 'set replica_id = null', 'set replica_id = connection.replica_id'],
    ['ends the stays of other epochs', 'and stay.epoch = locked.epoch', ''],
  ]),
  ...mutantsOf('end_stays_left_open', STAY_SPEC, [
    ['ends again what has ended', 'and stay.ended_at is null', ''],
    ['ends what lasts', 'and (connection.epoch > stay.epoch or connection.replica_id is null)', ''],
    ['leaves what was released', 'or connection.replica_id is null', ''],
    ['leaves what has moved', 'connection.epoch > stay.epoch or', ''],
  ]),
  ...mutantsOf('forget_old_stays', STAY_SPEC, [
    ['forgets too soon', `interval '30 days'`, `interval '1 day'`],
    ...passingOver('for update skip locked'),
  ]),
  ...mutantsOf('enter_replica', SPEC, [['cannot be done again', 'on conflict (id) do nothing', '']]),
  ...mutantsOf('beat_replica', SPEC, [
    ['lets the dead beat', `and state <> 'gone'`, ''],
    [
      'trusts a judge right after a gap',
      `interval '4 seconds' then clock_timestamp()`,
      `interval '4 seconds' then beating_since`,
    ],
    ['trusts nobody for long', 'else beating_since', 'else clock_timestamp()'],
  ]),
  ...mutantsOf('bury_dead_replicas', SPEC, [
    ['buries again', `dead.state <> 'gone' and`, ''],
    ['buries the living', `and dead.last_seen_at < clock_timestamp() - interval '5 seconds'`, ''],
    ['asks any judge', 'judge.id = $1', '$1::uuid is not null'],
    ['believes a dead judge', `and judge.state <> 'gone'`, ''],
    [
      'believes a judge that has only just begun',
      `and judge.beating_since < clock_timestamp() - interval '6 seconds'`,
      '',
    ],
    [
      'believes a judge that is silent itself',
      `and judge.last_seen_at > clock_timestamp() - interval '4 seconds'`,
      '',
    ],
  ]),
  ...mutantsOf('release_connections_of_gone_replicas', SPEC, [
    ['leaves the connections of the dead', `and replica.state <> 'gone'`, ''],
    ['leaves all while anybody lives', 'replica.id = holder.replica_id and', ''],
    ...passingOver('for update of connection skip locked'),
    ['does not release', 'set replica_id = null', 'set replica_id = connection.replica_id'],
    ['ends the stays of other epochs', 'and stay.epoch = locked.epoch', ''],
  ]),
  ...mutantsOf('set_replica_state', SPEC, [['raises the dead', `and state <> 'gone'`, '']]),
  ...mutantsOf('activate_replica', SPEC, [['takes a drain back', `and state = 'starting'`, '']]),
  ...mutantsOf('list_public_urls_of_live_replicas', SPEC, [
    ['sends brokers to who drains', `state = 'active' and`, ''],
    ['sends brokers back', 'and id <> $1', 'and $1::uuid is not null'],
    ['sends brokers to the dead', `and last_seen_at > now() - interval '5 seconds'`, ''],
  ]),
  ...mutantsOf('has_live_peers', SPEC, [
    ['counts on who drains', `state = 'active' and`, ''],
    ['counts on itself', 'and id <> $1', 'and $1::uuid is not null'],
    ['counts on the dead', `and last_seen_at > now() - interval '5 seconds'`, ''],
  ]),
  ...mutantsOf('forget_old_replicas', SPEC, [['forgets too soon', `interval '30 days'`, `interval '1 day'`]]),
  ...mutantsOf('take_turn_to_move_brokers', 'test/integration/move-budget.spec.ts', [
    [
      'lets waves of two replicas go at once',
      'set free_at = greatest(budget.free_at, clock_timestamp()) +',
      'set free_at = clock_timestamp() +',
    ],
    [
      'makes up for time in which nobody moved',
      'set free_at = greatest(budget.free_at, clock_timestamp()) +',
      'set free_at = budget.free_at +',
    ],
  ]),
  ...mutantsOf('take_rollout_to_judge', 'test/integration/rollouts.spec.ts', [
    ['judges what was judged', 'rollout.judged_at is null', 'rollout.id is not null'],
    [
      'judges a drain that is under way',
      `and (rollout.ended_at is not null or replica.id is null or replica.state = 'gone')`,
      '',
    ],
    ['leaves what a dead replica began', `or replica.state = 'gone'`, ''],
    [
      'takes what another judges',
      'and (rollout.judging_until is null or rollout.judging_until < clock_timestamp())',
      '',
    ],
    ['leaves what its judge died over', 'or rollout.judging_until < clock_timestamp()', ''],
  ]),
  ...mutantsOf('take_rollout_to_judge', TURNS_SPEC, passingOver('for update of rollout skip locked')),
  ...mutantsOf('write_rollout', 'test/integration/rollouts.spec.ts', [
    ['ends what has ended', 'where rollout.ended_at is null', ''],
  ]),
  ...mutantsOf('judge_rollout', 'test/integration/rollouts.spec.ts', [
    ['judges again', 'and judged_at is null', ''],
  ]),
];
