import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A chain over the audit, in a table of its own: each link holds the hash of a row, and one over that and the link before it.
 * What is not linked yet waits in `audit_unlinked`, where a trigger puts it with the row, so that a row whose
 * transaction commits late is linked late, and none is passed over; also those of replicas that know nothing of it.
 *
 * Locks: writers of the audit wait while what is there is queued.
 */
export class ChainAudit1790000000020 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table audit_link (
        position bigint not null,
        audit_id uuid not null,
        row_hash bytea not null,
        hash bytea not null,
        linked_at timestamptz not null default now(),
        constraint audit_link_is_known_by_position primary key (position),
        constraint audit_link_is_one_a_row unique (audit_id)
      )`);
    await runner.query(`
      create trigger audit_link_keeps_its_rows before update or delete or truncate on audit_link
      for each statement execute function audit_is_append_only()`);
    await runner.query(`
      create table audit_unlinked (
        audit_id uuid not null,
        constraint audit_unlinked_is_known_by_row primary key (audit_id)
      )`);
    await runner.query(`
      create function audit_awaits_its_link() returns trigger language plpgsql as $$
      begin
        insert into audit_unlinked (audit_id) values (new.id);
        return null;
      end
      $$`);
    await runner.query(`
      create trigger audit_row_awaits_its_link after insert on audit
      for each row execute function audit_awaits_its_link()`);
    await runner.query(`insert into audit_unlinked (audit_id) select id from audit`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop trigger audit_row_awaits_its_link on audit`);
    await runner.query(`drop function audit_awaits_its_link()`);
    await runner.query(`drop table audit_unlinked`);
    await runner.query(`drop table audit_link`);
  }
}
