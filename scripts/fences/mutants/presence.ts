import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-presence.spec.ts';
const MODEL = 'test/integration/presence-model.spec.ts';

export const PRESENCE = [
  ...mutantsOf(
    'change_presence',
    [SPEC, MODEL],
    [['believes a link that is over', 'connection.epoch = seen.epoch', 'seen.epoch is not null']],
  ),
  ...mutantsOf(
    'change_presence',
    [SPEC, MODEL],
    [['lifts what was let go of', `connection.replica_id is not null or seen.state = 'offline'`, 'true']],
  ),
  ...mutantsOf('change_presence', SPEC, [
    ['does not hear the goodbye of what was let go of', `or seen.state = 'offline'`, ''],
    ['does not wait for who is connecting', 'for share of connection', ''],
    [
      'takes back when a broker was seen',
      'greatest(known.last_seen_at, excluded.last_seen_at)',
      'excluded.last_seen_at',
    ],
    [
      'calls a state new that has stayed',
      'case when known.state = excluded.state then known.changed_at else excluded.changed_at end',
      'excluded.changed_at',
    ],
    ['forgets under which epoch it was told', 'epoch = excluded.epoch', 'epoch = known.epoch'],
  ]),
  ...mutantsOf('note_quiet_beats', SPEC, [
    ['believes a link that is over', 'and presence.epoch = seen.epoch', ''],
    ['keeps from its replica that the state is another', 'and presence.state = seen.state', ''],
    [
      'takes back when a broker was seen',
      'greatest(presence.last_seen_at, now() - make_interval(secs => seen.silence_ms / 1000))',
      'now() - make_interval(secs => seen.silence_ms / 1000)',
    ],
  ]),
  ...mutantsOf(
    'demote_unowned_brokers',
    [SPEC, MODEL],
    [['judges brokers that a replica holds', 'connection.replica_id is null and', '']],
  ),
  ...mutantsOf('demote_unowned_brokers', SPEC, [
    ['judges at once', `and silence.since < now() - interval '30 seconds'`, ''],
    ['lifts or judges what has left', `presence.state in ('online', 'degraded') and`, ''],
    ['judges on every replica', 'on duty.mine and', 'on duty.mine is not null and'],
    ['takes no turn', `pg_try_advisory_xact_lock(hashtextextended('duty presence sweep', 3))`, 'true'],
    ['writes what has not changed', 'and presence.state <> judged.state', ''],
    ['judges by the silence of an earlier link', 'connection.silent_since >= connection.since', 'true'],
    [
      'judges from the release alone',
      'then connection.silent_since else connection.released_at end',
      'then connection.released_at else connection.released_at end',
    ],
    ['holds an outage against brokers', 'greatest(reachable.since, case', 'greatest(case'],
    ['judges while no replica takes brokers', 'and reachable.since is not null', ''],
    ['counts on who drains', `state = 'active' and`, ''],
    ['counts on the dead', `and last_seen_at > now() - interval '4 seconds'`, ''],
    ['judges a broker that is coming back', 'for share of connection skip locked', ''],
    [
      'waits for a broker that is coming back',
      'for share of connection skip locked',
      'for share of connection',
    ],
    ...passingOver('for update of presence skip locked'),
  ]),
];
