import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';

type Planted = {
  brokerId: string;
  orderingKey?: string | null;
  contract?: string;
  lane?: string;
  deadlineS?: number;
  maxFailures?: number;
};

/**
 * Stores pings behind the hubs' backs, in order: no replica is told of them, counts them, or judges whether they
 * replace others. It is what a replica leaves that dies between its commit and its wakes.
 *
 * @returns their ids
 */
export async function plantPings(sql: pg.Client, rows: readonly Planted[]): Promise<string[]> {
  const ids = rows.map(() => uuidv7());
  const column = <T>(pick: (row: Planted) => T) => rows.map(pick);
  await sql.query(
    `
    insert into broker_dispatch
      (id, broker_id, op, args, lane, ordering_key, state, contract, max_failures, deadline_at, origin_replica,
       initiator, trail)
    select id, broker_id, 'broker.ping', '{}', lane, ordering_key, 'pending', contract, max_failures,
           now() + make_interval(secs => deadline_s), '00000000-0000-4000-8000-000000000000',
           '{"kind": "hub", "id": "test", "name": "test", "credentialId": null, "requestId": "test"}',
           array[jsonb_build_object('state', 'pending', 'at', clock_timestamp())::text]
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::double precision[], $7::integer[])
      with ordinality as planted (id, broker_id, lane, ordering_key, contract, deadline_s, max_failures, place)
    order by place
    `,
    [
      ids,
      column(({ brokerId }) => brokerId),
      column(({ lane = 'normal' }) => lane),
      column(({ orderingKey = null }) => orderingKey),
      column(({ contract = 'until' }) => contract),
      column(({ deadlineS = 900 }) => deadlineS),
      column(({ maxFailures = 5 }) => maxFailures),
    ],
  );
  return ids;
}

/** Has a broker's owner read on from the beginning, as the wake of whoever stored a command does. */
export async function wakeOwner(sql: pg.Client, brokerId: string): Promise<void> {
  await sql.query(
    `select pg_notify('fairlead_' || replace(replica_id::text, '-', ''),
                      json_build_object('b', json_build_array(json_build_array(broker_id, 1)))::text)
     from broker_connection where broker_id = $1`,
    [brokerId],
  );
}
