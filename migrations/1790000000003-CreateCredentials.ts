import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Locks: none but those of the new tables. */
export class CreateCredentials1790000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table hub_user (
        id uuid not null,
        name text not null,
        role text not null,
        created_at timestamptz not null default now(),
        constraint hub_user_is_known_by_id primary key (id),
        constraint hub_user_name_is_unique unique (name),
        constraint hub_user_role_is_known check (role in ('admin', 'member'))
      )`);
    await runner.query(`
      create table personal_token (
        id uuid not null,
        user_id uuid not null,
        name text not null,
        prefix text not null,
        hash bytea not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz,
        revoked_at timestamptz,
        constraint personal_token_is_known_by_id primary key (id),
        constraint personal_token_hash_is_unique unique (hash),
        constraint personal_token_is_of_a_user foreign key (user_id) references hub_user (id)
      )`);
    await runner.query(`
      create table join_token (
        id uuid not null,
        prefix text not null,
        hash bytea not null,
        seats integer not null,
        taken integer not null default 0,
        labels jsonb not null default '{}',
        is_shared boolean not null default false,
        created_by uuid not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null,
        revoked_at timestamptz,
        constraint join_token_is_known_by_id primary key (id),
        constraint join_token_hash_is_unique unique (hash),
        constraint join_token_has_seats check (seats > 0 and taken between 0 and seats)
      )`);
    await runner.query(`
      create table broker_key (
        id uuid not null,
        broker_id uuid not null,
        public_key text not null,
        created_at timestamptz not null default now(),
        retired_at timestamptz,
        constraint broker_key_is_known_by_id primary key (id),
        constraint broker_key_is_used_once unique (public_key)
      )`);
    await runner.query(`create index broker_key_by_broker on broker_key (broker_id)`);
    await runner.query(`
      create table signing_key (
        id uuid not null,
        public_jwk jsonb not null,
        sealed_private bytea not null,
        created_at timestamptz not null default now(),
        retired_at timestamptz,
        constraint signing_key_is_known_by_id primary key (id)
      )`);
    await runner.query(`
      create table spent_assertion (
        jti uuid not null,
        expires_at timestamptz not null,
        constraint spent_assertion_is_spent_once primary key (jti)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table spent_assertion`);
    await runner.query(`drop table signing_key`);
    await runner.query(`drop table broker_key`);
    await runner.query(`drop table join_token`);
    await runner.query(`drop table personal_token`);
    await runner.query(`drop table hub_user`);
  }
}
