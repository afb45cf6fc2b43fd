import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Under which name an OpenID provider knows a user. A user has one name with an issuer at most.
 *
 * Locks: none but those of the new table, and `hub_user` for a moment, to be referred to.
 */
export class AddUserIdentities1790000000026 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table user_identity (
        issuer text not null,
        subject text not null,
        user_id uuid not null,
        created_at timestamptz not null default now(),
        constraint user_identity_is_known_by_subject primary key (issuer, subject),
        constraint user_identity_is_one_of_an_issuer unique (user_id, issuer),
        constraint user_identity_is_of_a_user foreign key (user_id) references hub_user (id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table user_identity`);
  }
}
