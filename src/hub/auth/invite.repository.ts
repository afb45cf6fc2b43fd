import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { Role } from './principal.js';

/** What an invite is good for by now. Of `open` ones, those of a disabled user wait until it is let in again. */
export const INVITE_STATES = ['open', 'redeemed', 'revoked', 'expired'] as const;
export type InviteState = (typeof INVITE_STATES)[number];

export type InviteRow = {
  id: string;
  userId: string;
  name: string;
  email: string | null;
  role: Role;
  createdBy: string;
  /** null where whoever made it is not known any more. */
  createdByName: string | null;
  createdAt: Date;
  expiresAt: Date;
  redeemedAt: Date | null;
  revokedAt: Date | null;
  state: InviteState;
};

/** Whom an invite is for. */
export type Invited = { userId: string; name: string };

// Two that are made at the same moment take turns, so that the second finds the first.
const HOLD = statement(
  'hold_invited_user',
  `
  select id
  from hub_user
  where id = $1
  for no key update
  `,
);

const CREATE = statement(
  'create_invite',
  `
  insert into invite (id, user_id, hash, created_by, expires_at)
  select $1, person.id, $3, $4, now() + make_interval(secs => $5)
  from hub_user person
  where person.id = $2 and person.disabled_at is null
  returning expires_at as "expiresAt"
  `,
);

// The newest alone is good: whoever makes another has lost the one before, or told it to somebody else. The end is brought
// forward for replicas of the release before, which know of no other.
const VOID = statement(
  'void_invites_of_user',
  `
  update invite
  set revoked_at = now(), expires_at = now()
  where user_id = $1 and redeemed_at is null and revoked_at is null and expires_at > now()
  `,
);

const LIST = statement(
  'list_invites',
  `
  select invite.id, invite.user_id as "userId", person.name, person.email, person.role, invite.created_by as "createdBy",
         maker.name as "createdByName", invite.created_at as "createdAt", invite.expires_at as "expiresAt",
         invite.redeemed_at as "redeemedAt", invite.revoked_at as "revokedAt",
         case when invite.redeemed_at is not null then 'redeemed'
              when invite.revoked_at is not null then 'revoked'
              when invite.expires_at <= now() then 'expired'
              else 'open' end as state
  from invite
  join hub_user person on person.id = invite.user_id
  left join hub_user maker on maker.id = invite.created_by
  where $1::uuid is null or invite.id < $1
  order by invite.id desc
  limit $2
  `,
);

// Takes turns on the row with whoever redeems it: the second of the two finds what the first has made of it.
const REVOKE = statement(
  'revoke_invite',
  `
  update invite
  set revoked_at = coalesce(invite.revoked_at, now()), expires_at = least(invite.expires_at, now())
  from hub_user person
  where invite.id = $1 and invite.redeemed_at is null and person.id = invite.user_id
  returning person.id as "userId", person.name
  `,
);

const INVITED = statement(
  'find_invited_user',
  `
  select person.id as "userId", person.name
  from invite
  join hub_user person on person.id = invite.user_id
  where invite.id = $1
  `,
);

/** SQL of the invites that administrators make, see, and take back. */
@Injectable()
export class InviteRepository {
  constructor(private readonly database: Database) {}

  /** @returns when it ends; undefined for a user that is not let in */
  async create(
    run: Run,
    invite: { id: string; userId: string; hash: Buffer; createdBy: string; expiresInS: number },
  ): Promise<Date | undefined> {
    const { id, userId, hash, createdBy, expiresInS } = invite;
    await run(HOLD, [userId]);
    await run(VOID, [userId]);
    const [row] = await run<{ expiresAt: Date }>(CREATE, [id, userId, hash, createdBy, expiresInS]);
    return row?.expiresAt;
  }

  /** Newest first, before the given id. */
  async list(before: string | null, limit: number): Promise<InviteRow[]> {
    return this.database.runPlanned(LIST, [before, limit]);
  }

  /** @returns whom it is for; undefined where there is no such invite, or it was redeemed */
  async revoke(run: Run, id: string): Promise<Invited | undefined> {
    return (await run<Invited>(REVOKE, [id]))[0];
  }

  /** Whom it is for, whatever became of it. */
  async invited(id: string): Promise<Invited | undefined> {
    return (await this.database.run<Invited>(INVITED, [id]))[0];
  }
}
