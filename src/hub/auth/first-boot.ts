import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database.js';
import { patiently } from '../database/patience.js';
import { statement } from '../database/statement.js';
import { makeOpaque } from './opaque-token.js';

/** Long enough for whoever starts a hub to come to it, and too short to be found in an old log. */
export const FIRST_INVITE_LIVES_S = 24 * 3_600;

// Another replica that does the same waits for this one's row by its unique name, and then does nothing. Where nobody knows
// whether it was done it is done again, and finds what it made.
const CREATE_FIRST = statement(
  'create_first_administrator',
  `
  with administrator as (
    insert into hub_user (id, name, role)
    select $1, 'admin', 'admin'
    where not exists (select from hub_user)
    on conflict on constraint hub_user_name_is_unique do nothing
    returning id
  ),
  made as (
    insert into personal_token (id, user_id, name, prefix, hash)
    select $2, administrator.id, 'first boot', $3, $4
    from administrator
    returning id
  )
  select id from made
  union all
  select id from personal_token where id = $2
  `,
);

const INVITE_FIRST = statement(
  'invite_first_administrator',
  `
  with administrator as (
    insert into hub_user (id, name, role)
    select $1, 'admin', 'admin'
    where not exists (select from hub_user)
    on conflict on constraint hub_user_name_is_unique do nothing
    returning id
  ),
  made as (
    insert into invite (id, user_id, hash, created_by, expires_at)
    select $2, administrator.id, $3, administrator.id, now() + make_interval(secs => $4)
    from administrator
    returning id
  )
  select id from made
  union all
  select id from invite where id = $2
  `,
);

// An invite that its own user has made, who never had anything to make it with, is that of the first boot. Of two that
// renew it at the same time the second finds that it has not expired.
const INVITE_AGAIN = statement(
  'invite_first_administrator_again',
  `
  update invite
  set hash = $1, expires_at = now() + make_interval(secs => $2)
  from hub_user administrator
  where administrator.id = invite.user_id
    and administrator.id = invite.created_by
    and administrator.role = 'admin'
    and administrator.disabled_at is null
    and invite.redeemed_at is null
    and invite.revoked_at is null
    and (invite.expires_at <= now() or invite.hash = $1)
    and not exists (select from user_password where user_id = administrator.id)
    and not exists (select from personal_token where user_id = administrator.id)
    and not exists (select from user_session where user_id = administrator.id)
    and not exists (select from user_identity where user_id = administrator.id)
  returning invite.id
  `,
);

/** How the first person comes into a hub that has none. */
@Injectable()
export class FirstBoot {
  constructor(private readonly database: Database) {}

  /**
   * Makes the user `admin` with an invite, if the hub has no user; if `admin` has never come in and the invite has
   * expired, another in its place. Any number of replicas may do this at the same time.
   *
   * @returns the invite, to one caller each time one is made; undefined to all others
   */
  async inviteAdministrator(): Promise<string | undefined> {
    const { plain, hash } = makeOpaque('invite');
    const values = [uuidv7(), uuidv7(), hash, FIRST_INVITE_LIVES_S];
    const made = await patiently(() => this.database.run(INVITE_FIRST, values));
    if (made.length > 0) return plain;
    const renewed = await patiently(() => this.database.run(INVITE_AGAIN, [hash, FIRST_INVITE_LIVES_S]));
    return renewed.length > 0 ? plain : undefined;
  }

  /**
   * Makes the user `admin` with a personal token that does not expire, if the hub has no user: for whoever starts hubs
   * without anybody at a terminal. Any number of replicas may do this at the same time.
   *
   * @returns the token, to exactly one caller in the life of a hub; undefined to all others. A caller that dies
   *   before it has shown the token has lost it.
   */
  async ensureAdministrator(): Promise<string | undefined> {
    const { plain, prefix, hash } = makeOpaque('personal');
    const values = [uuidv7(), uuidv7(), prefix, hash];
    const made = await patiently(() => this.database.run(CREATE_FIRST, values));
    return made.length > 0 ? plain : undefined;
  }
}
