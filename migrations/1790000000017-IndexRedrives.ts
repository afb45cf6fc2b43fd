import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * By which a command is found that does another one again, live or ended. Few rows do: the others are in neither index. What
 * they name never changes, so updates of live commands stay heap-only.
 *
 * Locks: `broker_dispatch` and the history against writes while their rows are read once.
 */
export class IndexRedrives1790000000017 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create index broker_dispatch_of_redrive on broker_dispatch (redrive_of) where redrive_of is not null`,
    );
    await runner.query(
      `create index broker_dispatch_history_of_redrive on broker_dispatch_history (redrive_of)
        where redrive_of is not null`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index broker_dispatch_history_of_redrive`);
    await runner.query(`drop index broker_dispatch_of_redrive`);
  }
}
