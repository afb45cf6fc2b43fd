import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a request was answered that led to no one thing, such as a redrive by a filter, or whom it was meant for: a repeat
 * under its key is told the same.
 *
 * Replicas of the release before keep no key for such requests as a whole, and find none.
 *
 * Locks: `idempotency_key` for the moment in which a column without a default is added.
 */
export class KeepAnswersOfKeys1790000000032 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table idempotency_key add column answer jsonb`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table idempotency_key drop column answer`);
  }
}
