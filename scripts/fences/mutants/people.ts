import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-people.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';
const DEVICE_SPEC = 'test/e2e/device-grants.spec.ts';

export const PEOPLE = [
  ...mutantsOf('hold_active_administrators', SPEC, [
    ['does not take turns', 'for update', ''],
    ['counts those that are disabled', 'and disabled_at is null', ''],
    ['counts members', `role = 'admin' and`, ''],
  ]),
  ...mutantsOf('hold_holder_of_personal_tokens', SPEC, [
    ['does not take turns', 'for no key update', ''],
    ['makes tokens for whom nobody lets in', 'and disabled_at is null', ''],
  ]),
  ...mutantsOf('hold_person_of_membership', SPEC, [
    ['does not take turns', 'for no key update', ''],
    ['gives projects to whom nobody lets in', 'and disabled_at is null', ''],
  ]),
  ...mutantsOf('hold_project_of_membership', SPEC, [['does not take turns', 'for no key update', '']]),
  ...mutantsOf('set_project_member', SPEC, [
    ['changes nothing of a member', 'set role = excluded.role,', 'set'],
    ['tells of a change where there is none', 'where held.role <> excluded.role', ''],
  ]),
  ...mutantsOf('find_holder_of_live_personal_token', SPEC, [
    ['believes a token of whom nobody lets in', 'and holder.disabled_at is null', ''],
    ['gives the projects of others', 'where member.user_id = holder.id', ''],
  ]),
  ...mutantsOf('show_refresh_token', SPEC, [
    ['does not take turns', 'for update of session', ''],
    ['takes any token of a session', 'token.hash = $1', '$1::bytea is not null'],
    ['takes one of a session that has ended', 'and session.ended_at is null', ''],
    ['takes one of a session whose time is over', 'and session.expires_at > now()', ''],
    ['takes one of whom nobody lets in', 'and person.disabled_at is null', ''],
    ['takes one again after its successor', 'token.hash is not distinct from session.used_hash', 'true'],
    [
      'takes what was given for one that is spent',
      'or token.parent_hash is not distinct from session.used_hash',
      'or token.parent_hash is not null or session.used_hash is null',
    ],
  ]),
  ...mutantsOf('find_holder_of_live_session', SPEC, [
    ['believes what has ended', 'and session.ended_at is null', ''],
    ['believes what is over', 'and session.expires_at > now()', ''],
    ['believes whom nobody lets in', 'and holder.disabled_at is null', ''],
  ]),
  ...mutantsOf('end_oldest_sessions_of_user', SPEC, [
    [
      'ends the sessions of others',
      'where user_id = $1 and ended_at is null and id',
      'where ended_at is null and id',
    ],
    ['counts what is over', 'and kept.expires_at > now()', ''],
  ]),
  ...mutantsOf('sweep_ended_sessions', TURNS_SPEC, passingOver('for update skip locked')),
  ...mutantsOf('sweep_ended_sessions', SPEC, [
    ['forgets what goes on', `expires_at < now() - interval '1 day'`, 'true'],
  ]),
  ...mutantsOf('hold_password_of_user', SPEC, [
    ['does not take turns', 'for share', ''],
    ['takes one that was changed', 'and hash = $2', 'and $2::text is not null'],
  ]),
  ...mutantsOf('change_password_of_user', SPEC, [
    ['changes one that was changed', 'where kept.hash = $2', 'where $2::text is not null'],
    ['gives one to who has one', 'where kept.hash = $2', 'where kept.hash = $2 or $2::text is null'],
    ['keeps the old one', 'set hash = excluded.hash, changed_at', 'set changed_at'],
  ]),
  ...mutantsOf('set_password_of_user', SPEC, [
    ['keeps the old one', 'set hash = excluded.hash, changed_at', 'set changed_at'],
  ]),
  ...mutantsOf('find_open_invite', SPEC, [
    ['finds what was redeemed', 'and invite.redeemed_at is null', ''],
    ['finds what is over', 'and invite.expires_at > now()', ''],
    ['finds what was revoked', 'and invite.revoked_at is null', ''],
    ['finds one of whom nobody lets in', 'and person.disabled_at is null', ''],
  ]),
  ...mutantsOf('redeem_invite', SPEC, [
    ['redeems twice', 'and invite.redeemed_at is null', ''],
    ['redeems after the end', 'and invite.expires_at > now()', ''],
    ['redeems what was revoked', 'and invite.revoked_at is null', ''],
    ['redeems for whom nobody lets in', 'and person.disabled_at is null', ''],
  ]),
  ...mutantsOf('ask_device_grant', DEVICE_SPEC, [
    ['gives a second token', 'and redeemed_at is null', ''],
    [
      'goes on after its end',
      'and expires_at > now() for update of device_grant',
      'for update of device_grant',
    ],
    ['never slows down', `case when asked."isTooSoon" then 5 else 0 end`, '0'],
  ]),
  ...mutantsOf('ask_device_grant', TURNS_SPEC, [
    ['takes two questions at once for one', 'for update of device_grant', ''],
  ]),
  ...mutantsOf('answer_device_grant', DEVICE_SPEC, [
    ['answers twice', 'and answer is null', ''],
    ['answers after the end', 'and expires_at > now()', ''],
  ]),
  ...mutantsOf('create_device_grant', SPEC, [
    ['makes as many as are asked for', 'of_hub < $9', '$9::integer > 0'],
    ['gives one address all', 'of_address < $10', '$10::integer > 0'],
    ['counts all addresses as one', 'filter (where address_key = $6)', ''],
    ['counts those that were answered', 'answer is null and', ''],
    ['counts those that are over', 'and expires_at > now()', ''],
  ]),
  ...mutantsOf('sweep_device_grants', TURNS_SPEC, passingOver('for update skip locked')),
  ...mutantsOf('sweep_device_grants', SPEC, [
    ['forgets what has just ended', `expires_at < now() - interval '1 hour'`, 'expires_at < now()'],
  ]),
  ...mutantsOf('create_user_of_identity', SPEC, [
    ['fails where the name is taken', 'on conflict do nothing', ''],
  ]),
  ...mutantsOf('link_user_identity', 'test/e2e/oidc.spec.ts', [
    [
      'gives somebody to whoever has their address now',
      'on conflict do nothing',
      'on conflict (user_id, issuer) do update set subject = excluded.subject',
    ],
  ]),
  ...mutantsOf('hold_invited_user', SPEC, [['does not take turns', 'for no key update', '']]),
  ...mutantsOf('void_invites_of_user', SPEC, [
    ['ends the invites of others', 'user_id = $1', '$1::uuid is not null'],
    ['revokes what was redeemed', 'and redeemed_at is null', ''],
    ['revokes what is over', 'and expires_at > now()', ''],
    [
      'leaves it to replicas of the release before',
      'revoked_at = now(), expires_at = now()',
      'revoked_at = now()',
    ],
  ]),
  ...mutantsOf('revoke_invite', SPEC, [
    ['revokes all', 'invite.id = $1', '$1::uuid is not null'],
    ['revokes what was redeemed', 'and invite.redeemed_at is null', ''],
    ['forgets when it was revoked first', 'coalesce(invite.revoked_at, now())', 'now()'],
    ['leaves it to replicas of the release before', ', expires_at = least(invite.expires_at, now())', ''],
    ['gives time to what is over', 'least(invite.expires_at, now())', 'now()'],
  ]),
];
