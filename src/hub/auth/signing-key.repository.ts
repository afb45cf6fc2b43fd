import { Injectable } from '@nestjs/common';
import type { JWK } from 'jose';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';

export type SigningKeyRow = { id: string; publicJwk: JWK; sealedPrivate: Buffer; isLive: boolean };

// A retired key is kept past the longest life of what it signed.
const LIST = statement(
  'list_signing_keys_in_use',
  `
  select id, public_jwk as "publicJwk", sealed_private as "sealedPrivate", retired_at is null as "isLive"
  from signing_key
  where retired_at is null or retired_at > now() - interval '1 hour'
  order by created_at desc, id desc
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

/** SQL of signing keys. */
@Injectable()
export class SigningKeyRepository {
  constructor(private readonly database: Database) {}

  /** Newest first: those that sign, and those whose tokens may still be about. */
  async list(): Promise<SigningKeyRow[]> {
    return this.database.run(LIST);
  }

  /** Adds a key unless there is a live one; of replicas that do so together, one key stays. */
  async addFirst(key: { id: string; publicJwk: JWK; sealedPrivate: Buffer }): Promise<void> {
    await this.database.transaction(async (run) => {
      await run(LOCK, [SIGNING_KEY_LOCK]);
      await run(ADD_FIRST, [key.id, JSON.stringify(key.publicJwk), key.sealedPrivate]);
    });
  }
}
