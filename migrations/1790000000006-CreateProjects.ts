import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The floor of a project is kept as two numbers, so that statements compare versions as numbers.
 *
 * Locks: none but those of the new table.
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
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table project`);
  }
}
