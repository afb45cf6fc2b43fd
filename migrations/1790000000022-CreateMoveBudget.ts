import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * From when on brokers may be asked to move, for all replicas that drain: one row, pushed on by each wave.
 *
 * Replicas of the release before know nothing of it and ask at their own pace.
 *
 * Locks: none on what is there.
 */
export class CreateMoveBudget1790000000022 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table move_budget (
        is_the_one boolean not null,
        free_at timestamptz not null,
        constraint move_budget_is_one primary key (is_the_one),
        constraint move_budget_has_one_row check (is_the_one)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table move_budget`);
  }
}
