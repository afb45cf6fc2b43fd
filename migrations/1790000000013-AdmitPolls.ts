import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A broker's connection may run over polls as well as over a WebSocket.
 *
 * A replica of the release before reads such a row like any other, and takes the connection over where the broker comes
 * to it. On the way back, connections over polls are let go of: their brokers connect again.
 *
 * Locks: `broker_connection`, while the check looks at each broker.
 */
export class AdmitPolls1790000000013 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table broker_connection
        drop constraint broker_connection_transport_is_known,
        add constraint broker_connection_transport_is_known check (transport in ('websocket', 'poll'))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      update broker_connection
      set transport = 'websocket', replica_id = null, released_at = now(), release_reason = 'polls are not served'
      where transport = 'poll'`);
    await runner.query(`
      alter table broker_connection
        drop constraint broker_connection_transport_is_known,
        add constraint broker_connection_transport_is_known check (transport in ('websocket'))`);
  }
}
