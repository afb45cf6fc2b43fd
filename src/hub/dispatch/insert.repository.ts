import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { Draft } from './draft.js';

/** What became of one draft: stored with its `seq`, or why not. */
export type Inserted = {
  id: string;
  /** null where nothing was stored. */
  seq: number | null;
  known: boolean;
  capable: boolean;
  /** The replica that holds the broker's connection. */
  owner: string | null;
};

// Order of arrival is the order of `seq`. A broker that has not yet said what it can do is given the benefit of
// the doubt. Idempotency keys are written in sorted order, so that two replicas cannot wait for each other.
const INSERT = statement(
  'insert_dispatches',
  `
  with input as materialized (
    select input.*,
           broker.id is not null as known,
           input.capability is null or broker.capabilities is null or broker.capabilities ? input.capability
             as capable
    from unnest(
      $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::double precision[], $10::text[], $11::text[], $12::text[], $13::text[]
    ) with ordinality as input (
      id, broker_id, agent_id, op, args, capability, lane, ordering_key,
      deadline_s, initiator, scope, key, request_hash, place
    )
    left join broker on broker.id = input.broker_id and broker.revoked_at is null
  ),
  kept as (
    insert into idempotency_key (scope, key, request_hash, subject_id)
    select scope, key, request_hash, id
    from input
    where key is not null and known and capable
    order by scope, key
    on conflict do nothing
    returning subject_id
  ),
  inserted as (
    insert into broker_dispatch
      (id, broker_id, agent_id, op, args, lane, ordering_key, state, deadline_at, origin_replica, initiator, trail)
    select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, 'pending',
           now() + make_interval(secs => deadline_s), $14::uuid, initiator::jsonb,
           jsonb_build_array(jsonb_build_object('state', 'pending', 'at', clock_timestamp(), 'replica', $14::uuid))
    from input
    where known and capable and (key is null or exists (select from kept where kept.subject_id = input.id))
    order by place
    returning id, seq
  )
  select input.id, inserted.seq, input.known, input.capable, connection.replica_id as owner
  from input
  left join inserted on inserted.id = input.id
  left join broker_connection connection on connection.broker_id = input.broker_id
  order by input.place
  `,
);

const STORED = statement(
  'find_stored_dispatches',
  `
  select stored.id, stored.seq, true as known, true as capable, connection.replica_id as owner
  from (
    select id, seq, broker_id from broker_dispatch where id = any ($1::uuid[])
    union all
    select id, seq, broker_id from broker_dispatch_history where id = any ($1::uuid[])
  ) stored
  left join broker_connection connection on connection.broker_id = stored.broker_id
  `,
);

const FIND_KEYS = statement(
  'find_idempotency_keys',
  `
  select kept.scope, kept.key, kept.request_hash as "requestHash", kept.subject_id as "subjectId"
  from unnest($1::text[], $2::text[]) as asked (scope, key)
  join idempotency_key kept on kept.scope = asked.scope and kept.key = asked.key
  `,
);

const KEEP_KEY = statement(
  'keep_idempotency_key',
  `
  insert into idempotency_key (scope, key, request_hash, subject_id)
  values ($1, $2, $3, $4)
  on conflict do nothing
  returning subject_id
  `,
);

const SWEEP_KEYS = statement(
  'sweep_idempotency_keys',
  `
  with old as (
    select scope, key from idempotency_key
    where created_at < now() - interval '24 hours'
    order by created_at
    limit 1000
    for update skip locked
  )
  delete from idempotency_key using old
  where idempotency_key.scope = old.scope and idempotency_key.key = old.key
  `,
);

export type KeptKey = { scope: string; key: string; requestHash: string; subjectId: string };

/** SQL of new dispatches and of the keys that make their requests repeatable. */
@Injectable()
export class InsertRepository {
  constructor(private readonly database: Database) {}

  /**
   * Stores drafts in order, all in one statement; the answer has one row a draft, in the same order.
   *
   * @param run a transaction of the caller's, or the pool
   */
  async insert(drafts: readonly Draft[], origin: string, run: Run = this.database.run): Promise<Inserted[]> {
    const column = <T>(pick: (draft: Draft) => T) => drafts.map(pick);
    return run<Inserted>(INSERT, [
      column(({ id }) => id),
      column(({ brokerId }) => brokerId),
      column(({ agentId }) => agentId),
      column(({ op }) => op),
      column(({ args }) => JSON.stringify(args)),
      column(({ capability }) => capability),
      column(({ lane }) => lane),
      column(({ orderingKey }) => orderingKey),
      column(({ deadlineS }) => deadlineS),
      column(({ initiator }) => JSON.stringify(initiator)),
      column(({ idempotency }) => idempotency?.scope ?? null),
      column(({ idempotency }) => idempotency?.key ?? null),
      column(({ idempotency }) => idempotency?.requestHash ?? null),
      origin,
    ]);
  }

  /** Of some drafts whose insert is in doubt, those that are on record by now. */
  async stored(ids: readonly string[]): Promise<Inserted[]> {
    return this.database.run(STORED, [ids]);
  }

  /** Must be a statement of its own: the winner of a race is visible only to a snapshot taken after it. */
  async findKeys(asked: { scope: string; key: string }[], run: Run = this.database.run): Promise<KeptKey[]> {
    return run<KeptKey>(FIND_KEYS, [asked.map(({ scope }) => scope), asked.map(({ key }) => key)]);
  }

  /** @returns false where the key was taken */
  async keepKey(run: Run, kept: KeptKey): Promise<boolean> {
    return (await run(KEEP_KEY, [kept.scope, kept.key, kept.requestHash, kept.subjectId])).length > 0;
  }

  async sweepKeys(): Promise<void> {
    await this.database.run(SWEEP_KEYS);
  }
}
