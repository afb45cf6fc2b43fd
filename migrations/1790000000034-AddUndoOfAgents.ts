import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What an agent was before its latest command, so that one that was never sent can be undone.
 *
 * Replicas of the release before keep none; what they leave of an earlier command is told by its id, and undoes nothing.
 *
 * Locks: `agent` for the moment in which a column without a default is added.
 */
export class AddUndoOfAgents1790000000034 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table agent add column undo jsonb`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table agent drop column undo`);
  }
}
