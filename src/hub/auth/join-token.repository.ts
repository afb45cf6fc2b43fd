import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';

export type JoinTokenRow = {
  id: string;
  prefix: string;
  seats: number;
  taken: number;
  labels: Record<string, string>;
  isShared: boolean;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | null;
};

/** What a token gives to the broker that takes a seat of it. */
export type Seat = { id: string; labels: Record<string, string>; isShared: boolean };

const CREATE = statement(
  'create_join_token',
  `
  insert into join_token (id, prefix, hash, seats, labels, created_by, expires_at, is_shared)
  values ($1, $2, $3, $4, $5::jsonb, $6, now() + make_interval(secs => $7), $8)
  returning id, prefix, seats, taken, labels, is_shared as "isShared", created_by as "createdBy", created_at as "createdAt",
            expires_at as "expiresAt", revoked_at as "revokedAt"
  `,
);

// Joins that race for the last seat take turns on the row, and each judges it as the one before has left it.
const TAKE = statement(
  'take_seat_of_join_token',
  `
  update join_token
  set taken = taken + 1
  where hash = $1 and taken < seats and expires_at > now() and revoked_at is null
  returning id, labels, is_shared as "isShared"
  `,
);

// Whoever joins again takes no seat, so that of one that is used up there need be none.
const PEEK = statement(
  'find_open_join_token',
  `select id from join_token where hash = $1 and expires_at > now() and revoked_at is null`,
);

const LIST = statement(
  'list_join_tokens',
  `
  select id, prefix, seats, taken, labels, is_shared as "isShared", created_by as "createdBy", created_at as "createdAt",
         expires_at as "expiresAt", revoked_at as "revokedAt"
  from join_token
  where $1::uuid is null or id < $1
  order by id desc
  limit $2
  `,
);

const REVOKE = statement(
  'revoke_join_token',
  `update join_token set revoked_at = coalesce(revoked_at, now()) where id = $1 returning id`,
);

/** SQL of join tokens. */
@Injectable()
export class JoinTokenRepository {
  constructor(private readonly database: Database) {}

  async create(
    run: Run,
    token: {
      id: string;
      prefix: string;
      hash: Buffer;
      seats: number;
      labels: Record<string, string>;
      createdBy: string;
      expiresInS: number;
      isShared: boolean;
    },
  ): Promise<JoinTokenRow> {
    const { id, prefix, hash, seats, labels, createdBy, expiresInS, isShared } = token;
    const values = [id, prefix, hash, seats, JSON.stringify(labels), createdBy, expiresInS, isShared];
    const [row] = await run<JoinTokenRow>(CREATE, values);
    if (row === undefined) throw new Error('an insert gave no row');
    return row;
  }

  /** Takes a seat, or gives undefined where there is none to be had. */
  async take(run: Run, hash: Buffer): Promise<Seat | undefined> {
    return (await run<Seat>(TAKE, [hash]))[0];
  }

  /** The id of a token that is good, whether or not it has seats left. */
  async peek(hash: Buffer): Promise<string | undefined> {
    return (await this.database.run<{ id: string }>(PEEK, [hash]))[0]?.id;
  }

  /** Newest first, before the given id. */
  async list(before: string | null, limit: number): Promise<JoinTokenRow[]> {
    return this.database.runPlanned(LIST, [before, limit]);
  }

  /** @returns false where there is no such token */
  async revoke(run: Run, id: string): Promise<boolean> {
    return (await run(REVOKE, [id])).length > 0;
  }
}
