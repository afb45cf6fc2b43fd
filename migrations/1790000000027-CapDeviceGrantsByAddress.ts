import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the address counts as from which a program asks, so that no address has all of the places. Null in rows of the release
 * before, which count for the hub as a whole.
 *
 * Locks: `device_grant` for a moment; nothing is rewritten.
 */
export class CapDeviceGrantsByAddress1790000000027 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table device_grant add column address_key text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table device_grant drop column address_key`);
  }
}
