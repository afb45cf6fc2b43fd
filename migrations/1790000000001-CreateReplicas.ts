import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Locks: none but those of the new tables. */
export class CreateReplicas1790000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table hub_identity (
        id uuid not null,
        created_at timestamptz not null default now(),
        constraint hub_identity_is_known_by_id primary key (id)
      )`);
    // The hub names itself once, for all its replicas: credentials made for one hub are of no use at another.
    await runner.query(`insert into hub_identity (id) values (gen_random_uuid())`);
    await runner.query(`
      create table hub_replica (
        id uuid not null,
        name text not null,
        session_name text not null,
        public_url text,
        software text not null,
        protocol_min integer not null,
        protocol_max integer not null,
        state text not null,
        started_at timestamptz not null default now(),
        beating_since timestamptz not null default now(),
        last_seen_at timestamptz not null default now(),
        ended_at timestamptz,
        constraint hub_replica_is_one_boot primary key (id),
        constraint hub_replica_state_is_known check (state in ('starting', 'active', 'draining', 'gone'))
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table hub_replica`);
    await runner.query(`drop table hub_identity`);
  }
}
