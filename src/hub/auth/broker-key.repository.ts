import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';

export type BrokerKeyRow = { id: string; publicKey: string; isLive: boolean };

const STORE = statement(
  'store_broker_key',
  `
  insert into broker_key (id, broker_id, public_key)
  values ($1, $2, $3)
  on conflict on constraint broker_key_is_used_once do nothing
  returning id
  `,
);

const RETIRE_ALL = statement(
  'retire_keys_of_broker',
  `update broker_key set retired_at = now() where broker_id = $1 and retired_at is null`,
);

const LIST = statement(
  'list_newest_keys_of_broker',
  `
  select id, public_key as "publicKey", retired_at is null as "isLive"
  from broker_key
  where broker_id = $1
  order by retired_at is not null, id desc
  limit 8
  `,
);

const HOLDER = statement(
  'find_holder_of_broker_key',
  `select broker_id as "brokerId" from broker_key where public_key = $1 and retired_at is null`,
);

/** SQL of brokers' keys. */
@Injectable()
export class BrokerKeyRepository {
  constructor(private readonly database: Database) {}

  /** @returns false where a broker has this key already, or once had it */
  async store(run: Run, key: { id: string; brokerId: string; publicKey: string }): Promise<boolean> {
    return (await run(STORE, [key.id, key.brokerId, key.publicKey])).length > 0;
  }

  async retireAll(run: Run, brokerId: string): Promise<void> {
    await run(RETIRE_ALL, [brokerId]);
  }

  /** The broker that has this key, if it is live. */
  async holderOf(publicKey: string): Promise<string | undefined> {
    return (await this.database.run<{ brokerId: string }>(HOLDER, [publicKey]))[0]?.brokerId;
  }

  /** The live keys, then retired ones, newest first. */
  async list(brokerId: string): Promise<BrokerKeyRow[]> {
    return this.database.run(LIST, [brokerId]);
  }
}
