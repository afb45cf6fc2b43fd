import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * By which the few commands are found that are bound to a link of their broker: each link that begins or ends asks for them,
 * and walked over all that waits for the broker. A contract never changes, so updates of live commands stay heap-only.
 *
 * Locks: `broker_dispatch` against writes while its rows are read once.
 */
export class IndexLinkBound1790000000030 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create index broker_dispatch_bound_to_link on broker_dispatch (broker_id, seq)
      where contract in ('now_or_fail', 'on_attach')`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index broker_dispatch_bound_to_link`);
  }
}
