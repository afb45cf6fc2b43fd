import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';

export type Known = { userId: string; name: string; hash: string | null };

const KNOW = statement(
  'know_user_who_signs_in',
  `
  select person.id as "userId", person.name, password.hash
  from hub_user person
  left join user_password password on password.user_id = person.id
  where (person.name = $1 or person.email = lower($1)) and person.disabled_at is null
  order by person.name = $1 desc
  limit 1
  `,
);

const PASSWORD = statement('find_password_of_user', `select hash from user_password where user_id = $1`);

// Whoever sets another waits for who holds it, and ends what has begun by it; whoever comes after that finds another.
const HOLD_PASSWORD = statement(
  'hold_password_of_user',
  `
  select user_id
  from user_password
  where user_id = $1 and hash = $2
  for share
  `,
);

const SET_PASSWORD = statement(
  'set_password_of_user',
  `
  insert into user_password (user_id, hash)
  values ($1, $2)
  on conflict on constraint user_password_is_one_a_user do update
  set hash = excluded.hash, changed_at = now()
  `,
);

const CHANGE_PASSWORD = statement(
  'change_password_of_user',
  `
  insert into user_password as kept (user_id, hash)
  values ($1, $3)
  on conflict on constraint user_password_is_one_a_user do update
  set hash = excluded.hash, changed_at = now()
  where kept.hash = $2
  returning user_id
  `,
);

const FIND_OPEN = statement(
  'find_open_invite',
  `
  select invite.id
  from invite
  join hub_user person on person.id = invite.user_id
  where invite.hash = $1 and invite.redeemed_at is null and invite.revoked_at is null and invite.expires_at > now()
    and person.disabled_at is null
  `,
);

const REDEEM = statement(
  'redeem_invite',
  `
  update invite
  set redeemed_at = now()
  from hub_user person
  where invite.hash = $1 and invite.redeemed_at is null and invite.revoked_at is null and invite.expires_at > now()
    and person.id = invite.user_id and person.disabled_at is null
  returning invite.id, person.id as "userId", person.name
  `,
);

/** SQL of passwords, and of the use of an invite, by which the first one is set. */
@Injectable()
export class SignInRepository {
  constructor(private readonly database: Database) {}

  /** By name or address, if it is let in. @returns its password too, null where it has none */
  async know(nameOrEmail: string): Promise<Known | undefined> {
    return (await this.database.run<Known>(KNOW, [nameOrEmail]))[0];
  }

  async password(userId: string): Promise<string | undefined> {
    return (await this.database.run<{ hash: string }>(PASSWORD, [userId]))[0]?.hash;
  }

  /** Until the end of the transaction no other is set. @returns false where the user has another by now */
  async holdPassword(run: Run, userId: string, hash: string): Promise<boolean> {
    return (await run(HOLD_PASSWORD, [userId, hash])).length > 0;
  }

  /** In place of the one that it had, null for none. @returns false where it has another by now */
  async changePassword(run: Run, userId: string, from: string | null, to: string): Promise<boolean> {
    return (await run(CHANGE_PASSWORD, [userId, from, to])).length > 0;
  }

  /** In place of whatever it had. */
  async setPassword(run: Run, userId: string, hash: string): Promise<void> {
    await run(SET_PASSWORD, [userId, hash]);
  }

  /** Whether an invite could be redeemed as it looks now. */
  async isOpen(hash: Buffer): Promise<boolean> {
    return (await this.database.run(FIND_OPEN, [hash])).length > 0;
  }

  /** Once, within its time. @returns undefined where it cannot be */
  async redeem(run: Run, hash: Buffer): Promise<{ id: string; userId: string; name: string } | undefined> {
    return (await run<{ id: string; userId: string; name: string }>(REDEEM, [hash]))[0];
  }
}
