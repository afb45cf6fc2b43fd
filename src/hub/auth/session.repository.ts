import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { ProjectRole, Role } from './principal.js';

export type SessionRow = { id: string; createdAt: Date; refreshedAt: Date; expiresAt: Date };

type SessionHolderRow = {
  userId: string;
  name: string;
  role: Role;
  memberships: Record<string, ProjectRole>;
  leftMs: number;
};

/** Who shows a refresh token, and whether it is one that may be shown. */
export type ShownToken = { sessionId: string; userId: string; name: string; isGood: boolean };

const BEGIN = statement(
  'begin_session',
  `
  insert into user_session (id, user_id, expires_at)
  values ($1, $2, now() + make_interval(secs => $3))
  `,
);

const GIVE = statement(
  'give_refresh_token',
  `insert into refresh_token (hash, session_id, parent_hash) values ($1, $2, $3)`,
);

// Held until the end of the transaction: of two that are shown at the same time, the second is judged by what the first
// has made of the session. Good is the one that was shown last, and what was given for that and not shown yet.
const SHOW = statement(
  'show_refresh_token',
  `
  select session.id as "sessionId", session.user_id as "userId", person.name,
         (
           token.hash is not distinct from session.used_hash
           or token.parent_hash is not distinct from session.used_hash
         ) as "isGood"
  from refresh_token token
  join user_session session on session.id = token.session_id
  join hub_user person on person.id = session.user_id
  where token.hash = $1
    and session.ended_at is null
    and session.expires_at > now()
    and person.disabled_at is null
  for update of session
  `,
);

const USE = statement(
  'use_refresh_token',
  `update user_session set used_hash = $2, refreshed_at = now() where id = $1`,
);

const END = statement(
  'end_session_of_user',
  `
  update user_session
  set ended_at = now()
  where id = $1 and user_id = $2 and ended_at is null
  returning id
  `,
);

const END_ALL = statement(
  'end_sessions_of_user',
  `
  update user_session
  set ended_at = now()
  where user_id = $1 and id is distinct from $2::uuid and ended_at is null
  returning id
  `,
);

const END_OLDEST = statement(
  'end_oldest_sessions_of_user',
  `
  update user_session
  set ended_at = now()
  where user_id = $1 and ended_at is null and id not in (
    select kept.id from user_session kept
    where kept.user_id = $1 and kept.ended_at is null and kept.expires_at > now()
    order by kept.id desc
    limit $2
  )
  returning id
  `,
);

const FIND_HOLDER = statement(
  'find_holder_of_live_session',
  `
  select holder.id as "userId", holder.name, holder.role,
         (
           select coalesce(jsonb_object_agg(member.project_id, member.role), '{}')
           from project_member member
           where member.user_id = holder.id
         ) as memberships,
         (extract(epoch from session.expires_at - now()) * 1000)::double precision as "leftMs"
  from user_session session
  join hub_user holder on holder.id = session.user_id
  where session.id = $1
    and session.ended_at is null
    and session.expires_at > now()
    and holder.disabled_at is null
  `,
);

const LIST = statement(
  'list_live_sessions_of_user',
  `
  select id, created_at as "createdAt", refreshed_at as "refreshedAt", expires_at as "expiresAt"
  from user_session
  where user_id = $1 and ended_at is null and expires_at > now() and ($2::uuid is null or id < $2)
  order by id desc
  limit $3
  `,
);

const SWEEP = statement(
  'sweep_ended_sessions',
  `
  delete from user_session
  where id in (
    select id from user_session where expires_at < now() - interval '1 day' order by expires_at limit $1 for update skip locked
  )
  returning id
  `,
);

/** SQL of the sessions of those who have signed in. */
@Injectable()
export class SessionRepository {
  constructor(private readonly database: Database) {}

  async begin(run: Run, id: string, userId: string, livesS: number): Promise<void> {
    await run(BEGIN, [id, userId, livesS]);
  }

  /** @param parent the token for which it is given; null for the first */
  async give(run: Run, hash: Buffer, sessionId: string, parent: Buffer | null): Promise<void> {
    await run(GIVE, [hash, sessionId, parent]);
  }

  /** Holds the session of a refresh token. @returns undefined where there is none that goes on */
  async show(run: Run, hash: Buffer): Promise<ShownToken | undefined> {
    return (await run<ShownToken>(SHOW, [hash]))[0];
  }

  /** From here on all that were given for earlier ones are spent. */
  async use(run: Run, sessionId: string, hash: Buffer): Promise<void> {
    await run(USE, [sessionId, hash]);
  }

  /** @returns false where it had ended, or is not the user's */
  async end(run: Run, id: string, userId: string): Promise<boolean> {
    return (await run(END, [id, userId])).length > 0;
  }

  /** @param but one that goes on; null for none @returns how many were ended */
  async endAll(run: Run, userId: string, but: string | null): Promise<number> {
    return (await run(END_ALL, [userId, but])).length;
  }

  /** All but so many of the newest. */
  async endOldest(run: Run, userId: string, most: number): Promise<void> {
    await run(END_OLDEST, [userId, most]);
  }

  async findHolder(id: string): Promise<SessionHolderRow | undefined> {
    return (await this.database.run<SessionHolderRow>(FIND_HOLDER, [id]))[0];
  }

  /** Newest first, before the given id. */
  async list(userId: string, before: string | null, limit: number): Promise<SessionRow[]> {
    return this.database.runPlanned(LIST, [userId, before, limit]);
  }

  /** Forgets sessions with their tokens a day after their time is over. @returns how many */
  async sweep(most: number): Promise<number> {
    return (await this.database.run(SWEEP, [most])).length;
  }
}
