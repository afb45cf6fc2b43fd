import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * One row for every drain: what it did at each step, and later what became of the brokers and commands that were there.
 *
 * Replicas of the release before write none, and judge none.
 *
 * Locks: none on what is there.
 */
export class CreateRollouts1790000000023 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table rollout (
        id uuid not null,
        replica_id uuid not null,
        replica_name text not null,
        software text not null,
        begun_at timestamptz(3) not null default now(),
        ended_at timestamptz(3),
        outcome text,
        steps jsonb not null,
        judging_until timestamptz,
        judged_at timestamptz(3),
        report jsonb,
        constraint rollout_is_known_by_id primary key (id),
        constraint rollout_outcome_is_known check (outcome in ('moved', 'deadline', 'alone')),
        constraint rollout_is_judged_with_a_report check ((judged_at is null) = (report is null))
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table rollout`);
  }
}
