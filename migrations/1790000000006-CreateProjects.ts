import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Projects, and the brokers that are attached to them. A broker that is not shared is attached to one project at a
 * time: the slot is taken while the attachment is on, and free while it is offline or revoked.
 *
 * The floor of a project is kept as two numbers, so that statements compare versions as numbers.
 *
 * Locks: none but those of the new tables.
 */
export class CreateProjects1790000000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table project (
        id uuid not null,
        name text not null,
        min_broker_major integer,
        min_broker_minor integer,
        max_pending integer not null default 10000,
        revision integer not null default 1,
        created_by uuid not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        archived_at timestamptz,
        constraint project_is_known_by_id primary key (id),
        constraint project_name_is_unique unique (name),
        constraint project_floor_is_whole check ((min_broker_major is null) = (min_broker_minor is null)),
        constraint project_quota_is_bounded check (max_pending between 1 and 100000)
      )`);
    await runner.query(`
      create table broker_attachment (
        id uuid not null,
        project_id uuid not null,
        broker_id uuid not null,
        state text not null,
        is_exclusive boolean not null,
        attached_by uuid not null,
        attached_at timestamptz not null default now(),
        changed_at timestamptz not null default now(),
        detached_at timestamptz,
        constraint broker_attachment_is_known_by_id primary key (id),
        constraint broker_attachment_is_one_a_project unique (project_id, broker_id),
        constraint broker_attachment_is_to_a_project foreign key (project_id) references project (id),
        constraint broker_attachment_is_of_a_broker foreign key (broker_id) references broker (id),
        constraint broker_attachment_state_is_known check (
          state in ('registering', 'online', 'degraded', 'offline', 'revoked')
        ),
        constraint broker_attachment_detached_is_off check (
          detached_at is null or state in ('offline', 'revoked')
        )
      )`);
    await runner.query(`
      create unique index broker_attachment_is_exclusive on broker_attachment (broker_id)
      where is_exclusive and state in ('registering', 'online', 'degraded')`);
    await runner.query(`create index broker_attachment_by_broker on broker_attachment (broker_id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table broker_attachment`);
    await runner.query(`drop table project`);
  }
}
