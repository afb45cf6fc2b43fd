import { Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';

export type SigningKeyRow = {
  id: string;
  publicJwk: JWK;
  sealedPrivate: Buffer;
  isLive: boolean;
  /** Whether what it signs now ends before the key is forgotten. */
  maySign: boolean;
  createdAt: Date;
  retiredAt: Date | null;
};

const COLUMNS = `id, public_jwk as "publicJwk", sealed_private as "sealedPrivate", retired_at is null as "isLive",
         (retired_at is null or retired_at > now() - interval '30 minutes') as "maySign", created_at as "createdAt",
         retired_at as "retiredAt"`;

// A retired key is kept past the longest life of what it signed. It may go on to sign for a part of that, at a replica that
// has not read of its successor, or has not been given the seal key of that yet.
const LIST = statement(
  'list_signing_keys_in_use',
  `
  select ${COLUMNS}
  from signing_key
  where retired_at is null or retired_at > now() - interval '1 hour'
  order by retired_at is not null, created_at desc, id desc
  limit 16
  `,
);

/** Any constant will do that no other user of the database takes: the bytes of "fkey". */
const SIGNING_KEY_LOCK = 0x66_6b_65_79;

const LOCK = statement('lock_making_of_signing_keys', `select pg_advisory_xact_lock($1)`);

const ADD_FIRST = statement(
  'add_first_signing_key',
  `
  insert into signing_key (id, public_jwk, sealed_private)
  select $1, $2::jsonb, $3
  where not exists (select from signing_key where retired_at is null)
  `,
);

const ADD = statement(
  'add_signing_key',
  `
  insert into signing_key (id, public_jwk, sealed_private)
  values ($1, $2::jsonb, $3)
  returning created_at as "createdAt"
  `,
);

const RETIRE_OTHERS = statement(
  'retire_other_signing_keys',
  `update signing_key set retired_at = now() where retired_at is null and id <> $1`,
);

/** SQL of signing keys. */
@Injectable()
export class SigningKeyRepository {
  constructor(private readonly database: Database) {}

  /** Newest first: those that sign, and those whose tokens may still be about. */
  async list(): Promise<SigningKeyRow[]> {
    return this.database.run(LIST);
  }

  /** Adds a key, and retires those that are live, within one transaction: there is always one that is. @returns when it was made */
  async rotate(run: Run, key: { id: string; publicJwk: JWK; sealedPrivate: Buffer }): Promise<Date> {
    await run(LOCK, [SIGNING_KEY_LOCK]);
    const [row] = await run<{ createdAt: Date }>(ADD, [
      key.id,
      JSON.stringify(key.publicJwk),
      key.sealedPrivate,
    ]);
    if (row === undefined) throw new Error('an insert gave no row');
    await run(RETIRE_OTHERS, [key.id]);
    return row.createdAt;
  }

  /** Adds a key unless there is a live one; of replicas that do so together, one key stays. */
  async addFirst(key: { id: string; publicJwk: JWK; sealedPrivate: Buffer }): Promise<void> {
    await this.database.transaction(async (run) => {
      await run(LOCK, [SIGNING_KEY_LOCK]);
      await run(ADD_FIRST, [key.id, JSON.stringify(key.publicJwk), key.sealedPrivate]);
    });
  }
}
