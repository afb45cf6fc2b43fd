import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * An invite that was taken back says so, and is told from one whose time is over.
 *
 * Replicas of the release before go by `expires_at` alone, which is brought forward with it; what these void looks expired.
 *
 * Locks: `invite` for the moment in which a column without a default is added.
 */
export class AddInviteRevocation1790000000031 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table invite add column revoked_at timestamptz`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table invite drop column revoked_at`);
  }
}
