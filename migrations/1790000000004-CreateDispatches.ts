import type { MigrationInterface, QueryRunner } from 'typeorm';

const COMMAND_COLUMNS = `
        project_id uuid,
        broker_id uuid not null,
        agent_id uuid,
        op text not null,
        args jsonb not null,
        lane text not null,
        ordering_key text,
        state text not null,
        attempt integer not null default 0,
        failures integer not null default 0,
        max_failures integer not null default 5,
        contract text not null default 'until',
        link_epoch bigint,
        not_before timestamptz,
        retry_at timestamptz,
        deadline_at timestamptz not null,
        cancel_requested_at timestamptz,
        claimed_by uuid,
        claim_epoch bigint,
        claim_journal uuid,
        claimed_at timestamptz,
        origin_replica uuid not null,
        redrive_of uuid,
        initiator jsonb not null,
        trail text[] not null,
        created_at timestamptz not null default now(),`;

/**
 * A trail is an array of steps, each the text of a JSON object: to make and to copy that costs a fraction of what jsonb
 * costs, and the statements of the hot path do little else. It keeps its first 31 steps and its last 32; what lies
 * between them is one step that says how many it stands for.
 */
const APPEND_STEP = `
      create function append_step(trail text[], step jsonb) returns text[]
      language sql immutable parallel safe
      return case
        when cardinality(trail) < 64 then trail || step::text
        else trail[1:31] || jsonb_build_object(
          'state', 'summarised', 'at', trail[33]::jsonb ->> 'at',
          'count', coalesce((trail[32]::jsonb ->> 'count')::integer, 1) + 1
        )::text || trail[34:64] || step::text
      end`;

/**
 * Makes the history's partition of one day (UTC). Ids are uuids of version 7, whose first 48 bits are milliseconds,
 * so a day is a range of ids. The table is made apart and attached, which spares the parent an exclusive lock; the
 * default partition is locked for that moment. Rows of the day that it caught meanwhile, such as those of a process
 * whose clock ran ahead, move along, since none can be attached beside them.
 */
const MAKE_PARTITION = `
      create function make_history_partition(day date) returns boolean
      language plpgsql as $$
      declare
        partition_name text := 'broker_dispatch_history_p' || to_char(day, 'YYYYMMDD');
        range_start uuid := first_uuid_of(day);
        range_end uuid := first_uuid_of(day + 1);
      begin
        perform pg_advisory_xact_lock(hashtextextended('make_history_partition', 2));
        if to_regclass(partition_name) is not null then
          return false;
        end if;
        lock table broker_dispatch_history_default in access exclusive mode;
        execute format('create table %I (like broker_dispatch_history including all)', partition_name);
        execute format('with caught as (
                          delete from broker_dispatch_history_default where id >= %L and id < %L returning *
                        )
                        insert into %I select * from caught', range_start, range_end, partition_name);
        execute format('alter table broker_dispatch_history attach partition %I for values from (%L) to (%L)',
                       partition_name, range_start, range_end);
        return true;
      end
      $$`;

const FIRST_UUID = `
      create function first_uuid_of(day date) returns uuid
      language sql immutable
      return (
        lpad(to_hex((extract(epoch from day::timestamp at time zone 'UTC') * 1000)::bigint), 12, '0')
        || '00000000000000000000'
      )::uuid`;

/**
 * The table of live commands, the partitioned table of ended ones, and the keys of idempotent requests.
 *
 * No index of the live table names state, owner or epoch, neither as key nor in a predicate: a column there would
 * end heap-only updates, and every claim and ack would leave dead index entries behind. For those updates a third
 * of each page is kept free.
 *
 * Locks: none but those of the new tables.
 */
export class CreateDispatches1790000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(APPEND_STEP);
    await runner.query(`
      create table broker_dispatch (
        id uuid not null,
        seq bigint generated always as identity (cache 1),${COMMAND_COLUMNS}
        constraint broker_dispatch_is_known_by_id primary key (id),
        constraint broker_dispatch_state_is_live check (state in ('pending', 'claimed', 'running')),
        constraint broker_dispatch_lane_is_known check (lane in ('control', 'normal', 'bulk')),
        constraint broker_dispatch_contract_is_known check (
          contract in ('until', 'now_or_fail', 'on_attach', 'latest_only')
        ),
        constraint broker_dispatch_claim_is_whole check (
          state = 'pending' or (claimed_by is not null and claim_epoch is not null and claim_journal is not null)
        )
      ) with (fillfactor = 40)`);
    await runner.query(`create index broker_dispatch_in_order on broker_dispatch (broker_id, seq)`);
    await runner.query(
      `create index broker_dispatch_of_key on broker_dispatch (broker_id, ordering_key, seq)
        where ordering_key is not null`,
    );
    await runner.query(`
      create index broker_dispatch_of_project on broker_dispatch (project_id) where project_id is not null`);
    await runner.query(`create index broker_dispatch_by_deadline on broker_dispatch (deadline_at)`);
    await runner.query(`
      create table broker_dispatch_floor (
        broker_id uuid not null,
        seq bigint not null,
        stored_at timestamptz not null default now(),
        constraint broker_dispatch_floor_is_one_a_broker primary key (broker_id)
      ) with (fillfactor = 50)`);
    await runner.query(`
      create table broker_dispatch_history (
        id uuid not null,
        seq bigint not null,${COMMAND_COLUMNS}
        result jsonb,
        error jsonb,
        ended_at timestamptz not null default now(),
        constraint broker_dispatch_history_is_known_by_id primary key (id),
        constraint broker_dispatch_history_state_is_ended check (
          state in ('succeeded', 'failed', 'cancelled', 'expired', 'dead')
        )
      ) partition by range (id)`);
    await runner.query(
      `create index broker_dispatch_history_by_broker on broker_dispatch_history (broker_id, id)`,
    );
    await runner.query(`
      create table broker_dispatch_history_default partition of broker_dispatch_history default`);
    await runner.query(FIRST_UUID);
    await runner.query(MAKE_PARTITION);
    await runner.query(`
      create table idempotency_key (
        scope text not null,
        key text not null,
        request_hash text not null,
        subject_id uuid not null,
        created_at timestamptz not null default now(),
        constraint idempotency_key_is_one_a_scope primary key (scope, key)
      )`);
    await runner.query(`create index idempotency_key_by_age on idempotency_key (created_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table idempotency_key`);
    await runner.query(`drop function make_history_partition(date)`);
    await runner.query(`drop function first_uuid_of(date)`);
    await runner.query(`drop table broker_dispatch_history`);
    await runner.query(`drop table broker_dispatch_floor`);
    await runner.query(`drop table broker_dispatch`);
    await runner.query(`drop function append_step(text[], jsonb)`);
  }
}
