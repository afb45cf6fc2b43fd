import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Locks: none but those of the new tables. */
export class CreateBrokers1790000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table broker (
        id uuid not null,
        name text not null,
        fingerprint text not null,
        labels jsonb not null default '{}',
        given_labels jsonb not null default '{}',
        capabilities jsonb,
        software text not null,
        version_major integer,
        version_minor integer,
        is_shared boolean not null default false,
        created_at timestamptz not null default now(),
        revoked_at timestamptz,
        constraint broker_is_known_by_id primary key (id),
        constraint broker_name_is_unique unique (name),
        constraint broker_version_is_whole check ((version_major is null) = (version_minor is null))
      )`);
    await runner.query(`
      create table broker_connection (
        broker_id uuid not null,
        replica_id uuid,
        epoch bigint not null,
        connection_id uuid not null,
        transport text not null,
        boot_id uuid not null,
        journal_id uuid not null,
        window_size integer not null default 1,
        since timestamptz not null default now(),
        released_at timestamptz,
        release_reason text,
        constraint broker_connection_is_one_a_broker primary key (broker_id),
        constraint broker_connection_is_of_a_broker foreign key (broker_id) references broker (id),
        constraint broker_connection_transport_is_known check (transport in ('websocket'))
      )`);
    await runner.query(`
      create table broker_presence (
        broker_id uuid not null,
        state text not null,
        load double precision,
        running integer not null default 0,
        last_seen_at timestamptz not null default now(),
        changed_at timestamptz not null default now(),
        constraint broker_presence_is_one_a_broker primary key (broker_id),
        constraint broker_presence_state_is_known check (state in ('online', 'degraded', 'unreachable', 'offline'))
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table broker_presence`);
    await runner.query(`drop table broker_connection`);
    await runner.query(`drop table broker`);
  }
}
