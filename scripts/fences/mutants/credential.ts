import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-credential.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';

export const CREDENTIAL = [
  ...mutantsOf('create_first_administrator', SPEC, [
    ['makes an administrator beside others', 'where not exists (select from hub_user)', ''],
    ['fails where two boot at once', 'on conflict on constraint hub_user_name_is_unique do nothing', ''],
  ]),
  ...mutantsOf('invite_first_administrator', SPEC, [
    ['fails where two boot at once', 'on conflict on constraint hub_user_name_is_unique do nothing', ''],
  ]),
  ...mutantsOf('invite_first_administrator_again', 'test/e2e/first-boot.spec.ts', [
    ['invites while the invite is good', 'and (invite.expires_at <= now() or invite.hash = $1)', ''],
    [
      'invites who has a password already',
      'and not exists (select from user_password where user_id = administrator.id)',
      '',
    ],
  ]),
  ...mutantsOf('invite_first_administrator_again', SPEC, [
    ['invites who was turned away', 'and invite.revoked_at is null', ''],
    [
      'invites who comes in by a provider',
      'and not exists (select from user_identity where user_id = administrator.id)',
      '',
    ],
  ]),
  ...mutantsOf('take_seat_of_join_token', SPEC, [
    ['takes a seat of any token', 'hash = $1 and', '$1::bytea is not null and'],
    ['takes a seat that is not there', 'and taken < seats', ''],
    ['takes a seat after the end', 'and expires_at > now()', ''],
    ['takes a seat of a revoked token', 'and revoked_at is null', ''],
  ]),
  ...mutantsOf('revoke_join_token', SPEC, [
    ['forgets when it was revoked first', 'coalesce(revoked_at, now())', 'now()'],
  ]),
  ...mutantsOf('spend_assertion', SPEC, [
    ['spends what has ended', '$2::timestamptz > now() and', ''],
    ['spends by any key', 'id = $3 and retired_at is null', '$3::uuid is not null and retired_at is null'],
    ['spends by a retired key', 'and retired_at is null', ''],
    ['spends by a key that has lapsed', 'and (confirm_by is null or confirm_by > now())', ''],
    [
      'spends twice',
      'on conflict on constraint spent_assertion_is_spent_once do nothing',
      'on conflict (jti) do update set expires_at = excluded.expires_at',
    ],
  ]),
  ...mutantsOf('spend_proofs_of_brokers', SPEC, [
    ['spends what has ended', 'shown.ends_at > now()', 'true'],
    ['spends by any key of the broker', 'key.public_key = shown.public_key and', ''],
    ['spends by the key of another broker', 'and key.broker_id = shown.broker_id', ''],
    ['spends by a retired key', 'and key.retired_at is null', ''],
    ['spends by a key that has lapsed', 'and (key.confirm_by is null or key.confirm_by > now())', ''],
    [
      'spends twice',
      'on conflict on constraint spent_assertion_is_spent_once do nothing',
      'on conflict (jti) do update set expires_at = excluded.expires_at',
    ],
  ]),
  ...mutantsOf('sweep_spent_assertions', TURNS_SPEC, passingOver('for update skip locked')),
  ...mutantsOf('sweep_spent_assertions', SPEC, [
    ['forgets what may be played again', 'expires_at <= now()', 'true'],
    ['forgets all with one that has ended', 'where spent_assertion.jti = locked.jti', ''],
  ]),
  ...mutantsOf('store_broker_key', SPEC, [
    [
      'gives the key of one broker to another',
      'on conflict on constraint broker_key_is_used_once do nothing',
      'on conflict (public_key) do update set broker_id = excluded.broker_id',
    ],
  ]),
  ...mutantsOf('lock_keys_of_broker', TURNS_SPEC, [['does not hold the keys', 'for update', '']]),
  ...mutantsOf('lock_keys_of_broker', SPEC, [
    ['begins by a key that was retired', 'and retired_at is null', ''],
    ['holds the keys of others', 'broker_id = $1 and', '$1::uuid is not null and'],
  ]),
  ...mutantsOf('begin_broker_key', SPEC, [
    ['fails where another key waits', 'on conflict do nothing', 'on conflict (public_key) do nothing'],
  ]),
  ...mutantsOf('find_broker_key_that_waits', SPEC, [
    ['takes the key of another for its own', 'broker_id = $1 and', '$1::uuid is not null and'],
    ['takes a key that was retired for one that waits', 'and retired_at is null', ''],
    [
      'takes a key that has lapsed for one that waits',
      'and confirm_by > now()',
      'and confirm_by is not null',
    ],
  ]),
  ...mutantsOf('confirm_broker_key', SPEC, [
    ['confirms any key that waits', 'where id = $1 and', 'where $1::uuid is not null and'],
    ['confirms what was retired', 'where id = $1 and retired_at is null and', 'where id = $1 and'],
    ['confirms what has lapsed', 'and confirm_by > now()', 'and confirm_by is not null'],
    ['ends keys of others', 'former.broker_id = confirmed.broker_id and', ''],
    ['ends the key that is confirmed', 'and former.id <> $1', ''],
    ['forgets when a key was retired first', 'and former.retired_at is null', ''],
  ]),
  ...mutantsOf('lapse_broker_keys', TURNS_SPEC, passingOver('for update skip locked')),
  ...mutantsOf('lapse_broker_keys', SPEC, [
    ['lapses what still waits', 'confirm_by <= now()', 'confirm_by is not null'],
    ['notes it twice', 'and retired_at is null', ''],
    ['lapses keys of others', 'and ($1::uuid is null or broker_id = $1)', 'and ($1::uuid is null or true)'],
    ['lapses all with one', 'where broker_key.id = locked.id', ''],
  ]),
  ...mutantsOf('find_holder_of_broker_key', SPEC, [
    ['finds who once had it', 'and retired_at is null', ''],
    ['finds whose it is not yet', 'and confirm_by is null', ''],
  ]),
  ...mutantsOf('retire_keys_of_broker', SPEC, [
    ['retires the keys of others', 'broker_id = $1', '$1::uuid is not null'],
    ['forgets when a key was retired first', 'and retired_at is null', ''],
  ]),
  ...mutantsOf('find_holder_of_live_personal_token', SPEC, [
    ['believes what was revoked', 'and token.revoked_at is null', ''],
    ['believes what has expired', 'and (token.expires_at is null or token.expires_at > now())', ''],
    ['believes any token', 'token.hash = $1', '$1::bytea is not null'],
  ]),
  ...mutantsOf('revoke_personal_token_of_user', SPEC, [
    ['revokes the tokens of others', 'and user_id = $2', 'and $2::uuid is not null'],
    ['forgets when it was revoked first', 'coalesce(revoked_at, now())', 'now()'],
  ]),
  ...mutantsOf('try_audit_chain', TURNS_SPEC, [
    [
      'links on two replicas at once',
      `pg_try_advisory_xact_lock(hashtextextended('audit chain', 3))`,
      'true',
    ],
  ]),
  ...mutantsOf('lock_making_of_signing_keys', SPEC, [
    ['does not take turns', 'pg_advisory_xact_lock($1)', '$1::bigint'],
  ]),
  ...mutantsOf('add_first_signing_key', SPEC, [
    ['adds a second', 'where not exists (select from signing_key where retired_at is null)', ''],
  ]),
  ...mutantsOf('retire_other_signing_keys', SPEC, [
    ['retires the new key as well', 'and id <> $1', 'and $1::uuid is not null'],
    ['forgets when a key was retired first', 'retired_at is null and', ''],
  ]),
  ...mutantsOf('list_signing_keys_in_use', SPEC, [
    ['forgets what still has tokens about', `or retired_at > now() - interval '1 hour'`, ''],
    ['lets what was retired sign for too long', `now() - interval '30 minutes'`, `now() - interval '1 hour'`],
    ['takes retired keys for ever', `> now() - interval '1 hour'`, `< now()`],
  ]),
];
