import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';

/** A key that waits is live until it lapses, and takes the place of the others with its first use. */
export type BrokerKeyRow = { id: string; publicKey: string; isLive: boolean; isWaiting: boolean };

/** What became of a key that was to wait. */
export type Begun = { confirmBy: Date } | 'another waits' | 'was used';

const STORE = statement(
  'store_broker_key',
  `
  insert into broker_key (id, broker_id, public_key)
  values ($1, $2, $3)
  on conflict on constraint broker_key_is_used_once do nothing
  returning id
  `,
);

// Each of those that change the keys of a broker begins with this, in one order, so that none sees half of what another does
// and none waits for one that waits for it.
const LOCK = statement(
  'lock_keys_of_broker',
  `
  select id
  from broker_key
  where broker_id = $1 and retired_at is null
  order by id
  for update
  `,
);

// The index of the keys that wait refuses the second one of a broker, the constraint a key that was used before.
const BEGIN = statement(
  'begin_broker_key',
  `
  insert into broker_key (id, broker_id, public_key, confirm_by)
  values ($1, $2, $3, now() + interval '1 hour')
  on conflict do nothing
  returning confirm_by as "confirmBy"
  `,
);

const FIND_WAITING = statement(
  'find_broker_key_that_waits',
  `
  select broker_id = $1 and retired_at is null and confirm_by > now() as "isOwn", confirm_by as "confirmBy"
  from broker_key
  where public_key = $2
  `,
);

const CONFIRM = statement(
  'confirm_broker_key',
  `
  with confirmed as (
    update broker_key
    set confirm_by = null
    where id = $1 and retired_at is null and confirm_by > now()
    returning broker_id
  ),
  ended as (
    update broker_key former
    set retired_at = now()
    from confirmed
    where former.broker_id = confirmed.broker_id and former.id <> $1 and former.retired_at is null
    returning former.public_key
  )
  select (select array_agg(public_key) from ended) as ended
  from confirmed
  `,
);

const LAPSE = statement(
  'lapse_broker_keys',
  `
  with locked as (
    select id
    from broker_key
    where confirm_by <= now() and retired_at is null and ($1::uuid is null or broker_id = $1)
    limit $2
    for update skip locked
  )
  update broker_key
  set retired_at = confirm_by
  from locked
  where broker_key.id = locked.id
  returning broker_key.broker_id as "brokerId", broker_key.public_key as "publicKey"
  `,
);

const RETIRE_ALL = statement(
  'retire_keys_of_broker',
  `update broker_key set retired_at = now() where broker_id = $1 and retired_at is null`,
);

const LIST = statement(
  'list_newest_keys_of_broker',
  `
  select id, public_key as "publicKey", confirm_by is not null as "isWaiting",
         retired_at is null and (confirm_by is null or confirm_by > now()) as "isLive"
  from broker_key
  where broker_id = $1
  order by retired_at is not null, id desc
  limit 8
  `,
);

const HOLDER = statement(
  'find_holder_of_broker_key',
  `
  select broker_id as "brokerId"
  from broker_key
  where public_key = $1 and retired_at is null and confirm_by is null
  `,
);

/** SQL of brokers' keys. */
@Injectable()
export class BrokerKeyRepository {
  constructor(private readonly database: Database) {}

  /** @returns false where a broker has this key already, or once had it */
  async store(run: Run, key: { id: string; brokerId: string; publicKey: string }): Promise<boolean> {
    return (await run(STORE, [key.id, key.brokerId, key.publicKey])).length > 0;
  }

  /** Holds the keys of a broker until the end of the transaction. @returns the ids of those that are not retired */
  async lock(run: Run, brokerId: string): Promise<string[]> {
    return (await run<{ id: string }>(LOCK, [brokerId])).map(({ id }) => id);
  }

  /** Has a key wait for its first use. One that waits already goes on waiting. The keys must be held. */
  async begin(run: Run, key: { id: string; brokerId: string; publicKey: string }): Promise<Begun> {
    const [begun] = await run<{ confirmBy: Date }>(BEGIN, [key.id, key.brokerId, key.publicKey]);
    if (begun !== undefined) return begun;
    type Found = { isOwn: boolean | null; confirmBy: Date };
    const [found] = await run<Found>(FIND_WAITING, [key.brokerId, key.publicKey]);
    if (found === undefined) return 'another waits';
    return found.isOwn === true ? { confirmBy: found.confirmBy } : 'was used';
  }

  /**
   * Makes a key that waits the only one of its broker. The keys must be held.
   *
   * @returns the public keys that have ended by it; undefined where the key did not wait any more
   */
  async confirm(run: Run, id: string): Promise<string[] | undefined> {
    const [row] = await run<{ ended: string[] | null }>(CONFIRM, [id]);
    return row && (row.ended ?? []);
  }

  /** Retires keys that have waited for too long, of one broker or of all. @returns at most `most` of them */
  async lapse(
    run: Run,
    brokerId: string | null,
    most: number,
  ): Promise<{ brokerId: string; publicKey: string }[]> {
    return run(LAPSE, [brokerId, most]);
  }

  async retireAll(run: Run, brokerId: string): Promise<void> {
    // A key that was begun meanwhile is met as well.
    await this.lock(run, brokerId);
    await run(RETIRE_ALL, [brokerId]);
  }

  /** The broker that has this key, if it is live and does not wait. */
  async holderOf(publicKey: string): Promise<string | undefined> {
    return (await this.database.run<{ brokerId: string }>(HOLDER, [publicKey]))[0]?.brokerId;
  }

  /** The live keys, then retired ones, newest first. */
  async list(brokerId: string): Promise<BrokerKeyRow[]> {
    return this.database.run(LIST, [brokerId]);
  }
}
