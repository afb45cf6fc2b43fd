import { Injectable } from '@nestjs/common';
import type { AttachmentNotice, Hello } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { Database } from '../database/database.js';
import { storable } from '../database/jsonb.js';
import { statement } from '../database/statement.js';
import { BELOW_FLOOR } from './below-floor.columns.js';
import { versionOfSoftware } from './version-floor.js';

export type Ownership = {
  brokerId: string;
  replicaId: string | null;
  epoch: number;
  bootId: string;
};

/** A connection that is let go of, and the milliseconds since its broker gave a sign of life. */
export type Release = { brokerId: string; epoch: number; reason: string; silenceMs: number };

/** What a connect found and did; no epoch where the broker is revoked or the replica takes nobody. */
export type Connected = {
  epoch: number | null;
  revoked: boolean;
  former: { replicaId: string; bootId: string } | null;
  attachments: AttachmentNotice[];
};

// Claims share this lock and a connect holds it alone: the lock's queue is fair, so that a stream of claims cannot
// keep a connect waiting, as row locks could.
const TAKE_TURN = statement(
  'lock_broker_for_connect',
  `select pg_advisory_xact_lock(hashtextextended($1::text, 1))`,
);

// What the broker can do is told in its hello, so its attachments are on from here: but for those that were detached,
// and one whose slot was taken meanwhile.
const CONNECT = statement(
  'connect_broker',
  `
  with former as (
    select replica_id, boot_id from broker_connection where broker_id = $1
  ),
  admitting as (
    select id from hub_replica where id = $2 and state in ('starting', 'active')
  ),
  described as (
    update broker
    set labels = $7::jsonb || broker.given_labels, capabilities = $8::jsonb, software = $9,
        version_major = $11::integer, version_minor = $12::integer
    where id = $1 and revoked_at is null and exists (select from admitting)
    returning id, version_major, version_minor
  ),
  connected as (
    insert into broker_connection as held
      (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, window_size)
    select described.id, $2, $3::bigint + 1, $4, 'websocket', $5, $6, $10
    from described
    on conflict (broker_id) do update
    set replica_id = excluded.replica_id,
        epoch = greatest(held.epoch, $3::bigint) + 1,
        connection_id = excluded.connection_id,
        transport = excluded.transport,
        boot_id = excluded.boot_id,
        journal_id = excluded.journal_id,
        window_size = excluded.window_size,
        since = now(),
        released_at = null,
        release_reason = null
    returning epoch
  ),
  attached as (
    update broker_attachment attachment
    set state = $13,
        changed_at = case when attachment.state = $13 then attachment.changed_at else now() end
    from described
    where attachment.broker_id = described.id
      and attachment.detached_at is null and attachment.state <> 'revoked'
      and not (attachment.is_exclusive and attachment.state = 'offline' and exists (
        select from broker_attachment other
        where other.broker_id = described.id and other.is_exclusive
          and other.state in ('registering', 'online', 'degraded')
      ))
    returning attachment.project_id, attachment.state
  ),
  told as (
    select attached.project_id as project, project.name, attached.state, ${BELOW_FLOOR} as "readOnly"
    from attached
    join project on project.id = attached.project_id
    cross join described broker
    order by attached.project_id
    limit $14
  )
  select (select epoch from connected) as epoch,
         exists (select from broker where id = $1 and revoked_at is not null) as revoked,
         (select json_build_object('replicaId', replica_id, 'bootId', boot_id)
          from former where replica_id is not null) as former,
         (select coalesce(json_agg(told), '[]') from told) as attachments
  `,
);

const RELEASE = statement(
  'release_connections',
  `
  with locked as materialized (
    select connection.broker_id, leaving.reason, leaving.silence_ms
    from unnest($2::uuid[], $3::bigint[], $4::text[], $5::double precision[])
      as leaving (broker_id, epoch, reason, silence_ms)
    join broker_connection connection on connection.broker_id = leaving.broker_id
    where connection.replica_id = $1 and connection.epoch = leaving.epoch
    order by connection.broker_id
    for update of connection
  )
  update broker_connection connection
  set replica_id = null, released_at = now(), release_reason = locked.reason,
      silent_since = now() - make_interval(secs => locked.silence_ms / 1000)
  from locked
  where connection.broker_id = locked.broker_id
  `,
);

const READ = statement(
  'read_ownership',
  `
  select broker_id as "brokerId", replica_id as "replicaId", epoch, boot_id as "bootId"
  from broker_connection
  where broker_id = any ($1::uuid[])
  `,
);

/** SQL of who owns which broker's connection. */
@Injectable()
export class ConnectionRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes the broker's connection for a replica under a new epoch, newest wins, and notes what the broker says of
   * itself. Committed when it resolves.
   */
  async connect(replicaId: string, brokerId: string, connectionId: string, hello: Hello): Promise<Connected> {
    const { lastEpoch, bootId, journalId, labels, capabilities, software, window, health } = hello;
    const version = versionOfSoftware(software);
    const rows = await this.database.transaction(async (run) => {
      await run(TAKE_TURN, [brokerId]);
      return run<Connected>(CONNECT, [
        brokerId,
        replicaId,
        lastEpoch,
        connectionId,
        bootId,
        journalId,
        JSON.stringify(labels),
        JSON.stringify(capabilities),
        software,
        window,
        version?.major ?? null,
        version?.minor ?? null,
        health,
        LIMITS.batch,
      ]);
    });
    return rows[0] ?? { epoch: null, revoked: false, former: null, attachments: [] };
  }

  /** Lets go of connections that are still held by this replica under these epochs; all others stay as they are. */
  async release(replicaId: string, leaving: readonly Release[]): Promise<void> {
    await this.database.run(RELEASE, [
      replicaId,
      leaving.map(({ brokerId }) => brokerId),
      leaving.map(({ epoch }) => epoch),
      leaving.map(({ reason }) => storable(reason)),
      leaving.map(({ silenceMs }) => silenceMs),
    ]);
  }

  async read(brokerIds: string[]): Promise<Ownership[]> {
    return this.database.run(READ, [brokerIds]);
  }
}
