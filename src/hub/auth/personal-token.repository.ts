import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { Role } from './principal.js';

export type PersonalTokenRow = {
  id: string;
  name: string;
  prefix: string;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
};

export type TokenHolderRow = {
  tokenId: string;
  userId: string;
  name: string;
  role: Role;
  /** Milliseconds until the token expires, by the database's clock; null for never. */
  leftMs: number | null;
};

const CREATE = statement(
  'create_personal_token',
  `
  insert into personal_token (id, user_id, name, prefix, hash, expires_at)
  values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
  returning id, name, prefix, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"
  `,
);

const FIND_HOLDER = statement(
  'find_holder_of_live_personal_token',
  `
  select token.id as "tokenId", holder.id as "userId", holder.name, holder.role,
         (extract(epoch from token.expires_at - now()) * 1000)::double precision as "leftMs"
  from personal_token token
  join hub_user holder on holder.id = token.user_id
  where token.hash = $1
    and token.revoked_at is null
    and (token.expires_at is null or token.expires_at > now())
  `,
);

const LIST = statement(
  'list_personal_tokens_of_user',
  `
  select id, name, prefix, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"
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

  async create(token: {
    id: string;
    userId: string;
    name: string;
    prefix: string;
    hash: Buffer;
    expiresInS: number;
  }): Promise<PersonalTokenRow> {
    const { id, userId, name, prefix, hash, expiresInS } = token;
    const [row] = await this.database.run<PersonalTokenRow>(CREATE, [
      id,
      userId,
      name,
      prefix,
      hash,
      expiresInS,
    ]);
    if (row === undefined) throw new Error('an insert gave no row');
    return row;
  }

  /** Whose token has this hash, if it is neither expired nor revoked. */
  async findHolder(hash: Buffer): Promise<TokenHolderRow | undefined> {
    return (await this.database.run<TokenHolderRow>(FIND_HOLDER, [hash]))[0];
  }

  /** Newest first, before the given id. */
  async list(userId: string, before: string | null, limit: number): Promise<PersonalTokenRow[]> {
    return this.database.runPlanned(LIST, [userId, before, limit]);
  }

  /** @returns the hash of the token, or undefined where this user has none with the id */
  async revoke(id: string, userId: string): Promise<Buffer | undefined> {
    return (await this.database.run<{ hash: Buffer }>(REVOKE, [id, userId]))[0]?.hash;
  }
}
