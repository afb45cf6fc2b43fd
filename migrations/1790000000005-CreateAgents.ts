import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Locks: none but those of the new table. */
export class CreateAgents1790000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table agent (
        id uuid not null,
        name text not null,
        project_id uuid,
        broker_id uuid not null,
        runtime text not null,
        spec jsonb not null,
        wanted text not null,
        phase text not null,
        run_id uuid,
        dispatch_id uuid,
        exit_code bigint,
        detail text,
        restarts integer not null default 0,
        revision integer not null default 1,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint agent_is_known_by_id primary key (id),
        constraint agent_runtime_is_known check (runtime in ('process')),
        constraint agent_wanted_is_known check (wanted in ('running', 'stopped', 'deleted')),
        constraint agent_phase_is_known check (
          phase in ('created', 'starting', 'running', 'stopping', 'stopped', 'failed', 'deleting', 'deleted')
        )
      )`);
    await runner.query(`create unique index agent_name_is_unique on agent (name) where phase <> 'deleted'`);
    await runner.query(`create index agent_by_broker on agent (broker_id)`);
    await runner.query(`create index agent_by_project on agent (project_id, id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table agent`);
  }
}
