import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How people sign in: passwords, invites by which one is set for the first time, and sessions with the chains of their
 * refresh tokens. Of a chain every token is kept for as long as its session, so that one that comes back is known.
 *
 * Locks: none but those of the new tables, and `hub_user` for a moment, to be referred to.
 */
export class AddSignIn1790000000019 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table user_password (
        user_id uuid not null,
        hash text not null,
        changed_at timestamptz not null default now(),
        constraint user_password_is_one_a_user primary key (user_id),
        constraint user_password_is_of_a_user foreign key (user_id) references hub_user (id)
      )`);
    await runner.query(`
      create table invite (
        id uuid not null,
        user_id uuid not null,
        hash bytea not null,
        created_by uuid not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null,
        redeemed_at timestamptz,
        constraint invite_is_known_by_id primary key (id),
        constraint invite_hash_is_unique unique (hash),
        constraint invite_is_of_a_user foreign key (user_id) references hub_user (id)
      )`);
    await runner.query(`create index invite_by_user on invite (user_id)`);
    await runner.query(`
      create table user_session (
        id uuid not null,
        user_id uuid not null,
        used_hash bytea,
        created_at timestamptz not null default now(),
        refreshed_at timestamptz not null default now(),
        expires_at timestamptz not null,
        ended_at timestamptz,
        constraint user_session_is_known_by_id primary key (id),
        constraint user_session_is_of_a_user foreign key (user_id) references hub_user (id)
      )`);
    await runner.query(`create index user_session_by_user on user_session (user_id, id)`);
    await runner.query(`create index user_session_by_end on user_session (expires_at)`);
    await runner.query(`
      create table refresh_token (
        hash bytea not null,
        session_id uuid not null,
        parent_hash bytea,
        constraint refresh_token_is_known_by_hash primary key (hash),
        constraint refresh_token_is_of_a_session foreign key (session_id) references user_session (id)
          on delete cascade
      )`);
    await runner.query(`create index refresh_token_by_session on refresh_token (session_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table refresh_token`);
    await runner.query(`drop table user_session`);
    await runner.query(`drop table invite`);
    await runner.query(`drop table user_password`);
  }
}
