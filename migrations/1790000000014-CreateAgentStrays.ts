import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Runs that brokers have told of and that nobody wants there: one row for each, for as long as it is so. A replica of the
 * release before writes none and reads none.
 *
 * Locks: none on what is there.
 */
export class CreateAgentStrays1790000000014 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table agent_stray (
        broker_id uuid not null,
        agent_id uuid not null,
        id uuid not null,
        run_id uuid not null,
        kind text not null,
        reason text not null,
        phase text not null,
        dispatch_id uuid,
        found_at timestamptz not null default now(),
        constraint agent_stray_is_one_an_agent primary key (broker_id, agent_id),
        constraint agent_stray_kind_is_known check (kind in ('orphan', 'stranger')),
        constraint agent_stray_reason_is_known check (
          reason in ('agent_unknown', 'agent_deleted', 'agent_elsewhere', 'run_ended', 'run_superseded')
        ),
        constraint agent_stray_phase_is_known check (phase in ('starting', 'running', 'stopping'))
      )`);
    await runner.query(`create unique index agent_stray_is_listed_by_id on agent_stray (id)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table agent_stray`);
  }
}
