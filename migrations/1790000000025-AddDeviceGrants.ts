import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Programs that ask to come in by a code that a person approves elsewhere. Of both codes the hash alone is kept, and a row
 * lives for minutes.
 *
 * Locks: none but those of the new table, and `hub_user` for a moment, to be referred to.
 */
export class AddDeviceGrants1790000000025 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table device_grant (
        id uuid not null,
        device_hash bytea not null,
        user_hash bytea not null,
        name text not null,
        address text not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null,
        interval_s integer not null,
        asked_at timestamptz,
        answer text,
        answered_by uuid,
        redeemed_at timestamptz,
        constraint device_grant_is_known_by_id primary key (id),
        constraint device_grant_device_code_is_unique unique (device_hash),
        constraint device_grant_user_code_is_unique unique (user_hash),
        constraint device_grant_is_answered_by_a_user foreign key (answered_by) references hub_user (id),
        constraint device_grant_answer_is_known check (answer in ('approved', 'denied')),
        constraint device_grant_answer_is_somebodys check ((answer is null) = (answered_by is null))
      )`);
    await runner.query(`create index device_grant_by_end on device_grant (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table device_grant`);
  }
}
