import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was done to the hub, by whom, from where, and what came of it. Rows are only ever added: the table itself refuses
 * whatever would change or remove one, so that a fault of the program cannot. `seq` is the order in which they were written, for
 * whoever seals them later, in a table of its own.
 *
 * Locks: none on what is there.
 */
export class CreateAudit1790000000015 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table audit (
        id uuid not null,
        seq bigint generated always as identity,
        at timestamptz not null default now(),
        act text not null,
        outcome text not null,
        code text,
        actor_kind text not null,
        actor_id uuid,
        actor_name text,
        credential_id uuid,
        request_id text,
        address text,
        subject_kind text not null,
        subject_id uuid,
        subject_name text,
        detail jsonb not null,
        constraint audit_is_known_by_id primary key (id),
        constraint audit_outcome_is_known check (outcome in ('done', 'unchanged', 'refused')),
        constraint audit_actor_kind_is_known check (actor_kind in ('person', 'broker'))
      )`);
    await runner.query(`create index audit_by_subject on audit (subject_id, id)`);
    await runner.query(`
      create function audit_is_append_only() returns trigger language plpgsql as $$
      begin
        raise exception 'the audit is only ever added to';
      end
      $$`);
    await runner.query(`
      create trigger audit_keeps_its_rows before update or delete or truncate on audit
      for each statement execute function audit_is_append_only()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table audit`);
    await runner.query(`drop function audit_is_append_only()`);
  }
}
