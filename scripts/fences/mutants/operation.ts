import { mutantsOf } from '../mutant.js';

const SPEC = 'test/integration/fences-operation.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';

export const OPERATION = [
  ...mutantsOf('try_duty', TURNS_SPEC, [
    [
      'is done on two replicas at once',
      `pg_try_advisory_xact_lock(hashtextextended('duty ' || $1::text, 3))`,
      `$1::text <> ''`,
    ],
    ['takes all duties for one', `'duty ' || $1::text`, `left($1::text, 0)`],
  ]),
  ...mutantsOf('try_lock_of_migrations', TURNS_SPEC, [
    ['copies while somebody migrates', 'pg_try_advisory_xact_lock($1)', '$1::bigint > 0'],
  ]),
  ...mutantsOf('cordon_broker', SPEC, [
    ['cordons what is revoked', 'and revoked_at is null', ''],
    ['forgets since when it was cordoned', 'and cordoned_at is null', ''],
  ]),
  ...mutantsOf('drain_broker', SPEC, [
    ['drains what is revoked', 'and revoked_at is null', ''],
    ['forgets since when it drains', 'and draining_at is null', ''],
    ['forgets since when it was cordoned', 'coalesce(cordoned_at, now())', 'now()'],
  ]),
  ...mutantsOf('note_drained_brokers', SPEC, [
    ['believes a look at what was changed since', 'and broker.revision = seen.revision', ''],
    ['notes what does not drain', 'and broker.draining_at is not null', ''],
    ['forgets since when it is drained', 'and broker.drained_at is null', ''],
  ]),
  ...mutantsOf('uncordon_broker', SPEC, [['changes what is in service', 'and cordoned_at is not null', '']]),
  ...mutantsOf('hold_broker', SPEC, [
    ['does not hold the broker', 'for share', ''],
    ['holds what is revoked', 'and revoked_at is null', ''],
  ]),
  ...mutantsOf('update_broker', SPEC, [
    ['takes what was read too early', 'revision = $2', '$2 > 0'],
    ['gives labels without end', '<= greatest($6,', '<= greatest($6 + 1,'],
    [
      'refuses a name for labels that there are',
      'greatest($6, (select count(*) from jsonb_object_keys(labels)))',
      '$6',
    ],
  ]),
  ...mutantsOf('revoke_broker', SPEC, [['revokes again', 'and revoked_at is null', '']]),
];
