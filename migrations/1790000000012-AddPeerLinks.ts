import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Where a replica is found by the others, and which of their signed calls were taken.
 *
 * Replicas of the release before tell no address, and are asked nothing.
 *
 * Locks: `hub_replica` for a moment; the column is empty.
 */
export class AddPeerLinks1790000000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table hub_replica add column internal_url text`);
    await runner.query(`
      create table peer_nonce (
        nonce uuid not null,
        expires_at timestamptz not null,
        constraint peer_nonce_is_spent_once primary key (nonce)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table peer_nonce`);
    await runner.query(`alter table hub_replica drop column internal_url`);
  }
}
