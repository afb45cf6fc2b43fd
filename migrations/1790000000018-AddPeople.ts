import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * People as there may be many of them: their addresses, whether they are let in, what each of them is in each project,
 * and how far each of their tokens reaches.
 *
 * Locks: `hub_user` and `personal_token` for a moment each; both are small.
 */
export class AddPeople1790000000018 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table hub_user
        add column email text,
        add column disabled_at timestamptz,
        add column changed_at timestamptz not null default now(),
        add constraint hub_user_email_is_unique unique (email),
        add constraint hub_user_email_is_lower_case check (email = lower(email))`);
    await runner.query(`
      alter table personal_token
        add column access text not null default 'write',
        add column project_ids uuid[],
        add column last_used_at timestamptz,
        add constraint personal_token_access_is_known check (access in ('read', 'write'))`);
    await runner.query(`create index personal_token_by_user on personal_token (user_id, id)`);
    await runner.query(`
      create table project_member (
        project_id uuid not null,
        user_id uuid not null,
        role text not null,
        added_by uuid not null,
        created_at timestamptz not null default now(),
        changed_at timestamptz not null default now(),
        constraint project_member_is_one_a_project primary key (project_id, user_id),
        constraint project_member_is_a_user foreign key (user_id) references hub_user (id),
        constraint project_member_role_is_known check (role in ('viewer', 'operator', 'admin'))
      )`);
    await runner.query(`create index project_member_by_user on project_member (user_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table project_member`);
    await runner.query(`drop index personal_token_by_user`);
    await runner.query(`
      alter table personal_token
        drop column access,
        drop column project_ids,
        drop column last_used_at`);
    await runner.query(`
      alter table hub_user
        drop column email,
        drop column disabled_at,
        drop column changed_at`);
  }
}
