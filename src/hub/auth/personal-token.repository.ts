import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { ProjectRole, Role, TokenAccess } from './principal.js';

export type PersonalTokenRow = {
  id: string;
  name: string;
  prefix: string;
  access: TokenAccess;
  /** The projects that it is good for; null for all of its user. */
  projectIds: string[] | null;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** To some minutes; null where it was never used. */
  lastUsedAt: Date | null;
};

type TokenHolderRow = {
  tokenId: string;
  userId: string;
  name: string;
  role: Role;
  access: TokenAccess;
  projectIds: string[] | null;
  memberships: Record<string, ProjectRole>;
  /** Milliseconds until the token expires, by the database's clock; null for never. */
  leftMs: number | null;
  /** Whether its use is to be noted. */
  isUseStale: boolean;
};

type NewPersonalToken = {
  id: string;
  userId: string;
  name: string;
  prefix: string;
  hash: Buffer;
  expiresInS: number;
  access: TokenAccess;
  projectIds: readonly string[] | null;
};

const COLUMNS = `id, name, prefix, access, project_ids as "projectIds", created_at as "createdAt", expires_at as "expiresAt",
            revoked_at as "revokedAt", last_used_at as "lastUsedAt"`;

const CREATE = statement(
  'create_personal_token',
  `
  insert into personal_token (id, user_id, name, prefix, hash, expires_at, access, project_ids)
  values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7, $8)
  returning ${COLUMNS}
  `,
);

// In a statement of its own before the count: of two that make the last token there may be, the second counts the first.
const HOLD_HOLDER = statement(
  'hold_holder_of_personal_tokens',
  `select id from hub_user where id = $1 and disabled_at is null for no key update`,
);

const COUNT_LIVE = statement(
  'count_live_personal_tokens_of_user',
  `
  select count(*) as count
  from personal_token
  where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
  `,
);

const UNKNOWN_PROJECTS = statement(
  'find_unknown_projects',
  `
  select asked.id
  from unnest($1::uuid[]) as asked (id)
  where not exists (select from project where project.id = asked.id)
  `,
);

// What its holder is in projects is read with it, so that both are of one moment.
const FIND_HOLDER = statement(
  'find_holder_of_live_personal_token',
  `
  select token.id as "tokenId", holder.id as "userId", holder.name, holder.role, token.access,
         token.project_ids as "projectIds",
         (
           select coalesce(jsonb_object_agg(member.project_id, member.role), '{}')
           from project_member member
           where member.user_id = holder.id
         ) as memberships,
         (extract(epoch from token.expires_at - now()) * 1000)::double precision as "leftMs",
         coalesce(token.last_used_at < now() - interval '5 minutes', true) as "isUseStale"
  from personal_token token
  join hub_user holder on holder.id = token.user_id
  where token.hash = $1
    and token.revoked_at is null
    and (token.expires_at is null or token.expires_at > now())
    and holder.disabled_at is null
  `,
);

const NOTE_USE = statement(
  'note_use_of_personal_token',
  `update personal_token set last_used_at = now() where id = $1`,
);

const LIST = statement(
  'list_personal_tokens_of_user',
  `
  select ${COLUMNS}
  from personal_token
  where user_id = $1 and ($2::uuid is null or id < $2)
  order by id desc
  limit $3
  `,
);

const REVOKE = statement(
  'revoke_personal_token_of_user',
  `
  update personal_token
  set revoked_at = coalesce(revoked_at, now())
  where id = $1 and user_id = $2
  returning hash
  `,
);

/** SQL of personal tokens. */
@Injectable()
export class PersonalTokenRepository {
  constructor(private readonly database: Database) {}

  async create(token: NewPersonalToken, run: Run = this.database.run): Promise<PersonalTokenRow> {
    const { id, userId, name, prefix, hash, expiresInS, access, projectIds } = token;
    const values = [id, userId, name, prefix, hash, expiresInS, access, projectIds];
    const [row] = await run<PersonalTokenRow>(CREATE, values);
    if (row === undefined) throw new Error('an insert gave no row');
    return row;
  }

  /** Until the end of the transaction nobody else makes tokens for the user. @returns false where it is not let in */
  async holdHolder(run: Run, userId: string): Promise<boolean> {
    return (await run(HOLD_HOLDER, [userId])).length > 0;
  }

  /** How many a user has that are neither expired nor revoked. */
  async countLive(run: Run, userId: string): Promise<number> {
    return Number((await run<{ count: number }>(COUNT_LIVE, [userId]))[0]?.count ?? 0);
  }

  /** Of some ids, those that are of no project. */
  async unknownProjects(ids: readonly string[]): Promise<string[]> {
    return (await this.database.run<{ id: string }>(UNKNOWN_PROJECTS, [ids])).map(({ id }) => id);
  }

  /** Whose token has this hash, if it is neither expired nor revoked, and its user is let in. */
  async findHolder(hash: Buffer): Promise<TokenHolderRow | undefined> {
    return (await this.database.run<TokenHolderRow>(FIND_HOLDER, [hash]))[0];
  }

  async noteUse(id: string): Promise<void> {
    await this.database.run(NOTE_USE, [id]);
  }

  /** Newest first, before the given id. */
  async list(userId: string, before: string | null, limit: number): Promise<PersonalTokenRow[]> {
    return this.database.runPlanned(LIST, [userId, before, limit]);
  }

  /** @returns the hash of the token, or undefined where this user has none with the id */
  async revoke(id: string, userId: string, run: Run = this.database.run): Promise<Buffer | undefined> {
    return (await run<{ hash: Buffer }>(REVOKE, [id, userId]))[0]?.hash;
  }
}
