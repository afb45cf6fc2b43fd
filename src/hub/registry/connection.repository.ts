import { Injectable } from '@nestjs/common';
import type { AttachmentNotice, Capabilities, Hello } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { Database, type Run } from '../database/database.js';
import { storable } from '../database/jsonb.js';
import { statement } from '../database/statement.js';
import { BELOW_FLOOR } from './below-floor.columns.js';
import type { Transport } from './transport.js';
import { versionOfSoftware } from './version-floor.js';

export type Ownership = { brokerId: string; replicaId: string | null };

/** The row of a broker whose link is not what the row says; without an epoch there is no row. */
export type Stranger = Ownership & {
  epoch: number | null;
  bootId: string | null;
  releaseReason: string | null;
  isRevoked: boolean;
};

/** A connection that is let go of, and the milliseconds since its broker gave a sign of life. */
export type Release = { brokerId: string; epoch: number; reason: string; silenceMs: number };

/** What a connect found and did; no epoch where the broker is revoked or the replica takes nobody. */
export type Connected = {
  epoch: number | null;
  /** Under which the capabilities of the hello are on record. */
  revision: number;
  revoked: boolean;
  /** Whether its key was flagged, since copies of the broker take its place again and again. */
  flagged: boolean;
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
// and one whose slot was taken meanwhile. Of the stays the one that was open ends where the new one begins. The third
// within a minute that another instance puts an end to, this one among them, flags the key. Times are those of the
// statement: the transaction may have waited long for its turn.
const CONNECT = statement(
  'connect_broker',
  `
  with former as (
    select replica_id, epoch, boot_id from broker_connection where broker_id = $1
  ),
  admitting as (
    select id from hub_replica where id = $2 and state in ('starting', 'active')
  ),
  described as (
    update broker
    set labels = $7::jsonb || broker.given_labels, capabilities = $8::jsonb,
        capabilities_revision = broker.capabilities_revision + 1, software = $9,
        version_major = $11::integer, version_minor = $12::integer,
        displaced_at = case
          when exists (select from former where replica_id is not null and boot_id <> $5) then statement_timestamp()
          else displaced_at
        end
    where id = $1 and revoked_at is null and exists (select from admitting)
    returning id, version_major, version_minor, capabilities_revision
  ),
  connected as (
    insert into broker_connection as held
      (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, window_size)
    select described.id, $2, $3::bigint + 1, $4, $15, $5, $6, $10
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
  stayed as (
    insert into broker_stay (broker_id, epoch, id, replica_id, began_at)
    select $1, connected.epoch, $4, $2, statement_timestamp()
    from connected
  ),
  displaced as (
    update broker_stay stay
    set ended_at = statement_timestamp(),
        end_reason = case when former.boot_id = $5 then 'newer_connection' else 'another_instance' end
    from connected
    cross join former
    where stay.broker_id = $1 and stay.epoch = former.epoch and stay.ended_at is null
    returning stay.end_reason
  ),
  flagged as (
    update broker_key
    set flagged_at = statement_timestamp()
    where broker_id = $1 and retired_at is null
      and exists (select from displaced where end_reason = 'another_instance')
      and (
        select count(*) from broker_stay earlier
        where earlier.broker_id = $1 and earlier.end_reason = 'another_instance'
          and earlier.ended_at > statement_timestamp() - interval '1 minute'
      ) >= 2
    returning id
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
         coalesce((select capabilities_revision from described), 0) as revision,
         exists (select from broker where id = $1 and revoked_at is not null) as revoked,
         exists (select from flagged) as flagged,
         (select json_build_object('replicaId', replica_id, 'bootId', boot_id)
          from former where replica_id is not null) as former,
         (select coalesce(json_agg(told), '[]') from told) as attachments
  `,
);

// A hello replaces the capabilities too, and takes a revision for that: what an older link says late is refused, by its
// revision where it is not above, and by its epoch where it is.
const REPLACE_CAPABILITIES = statement(
  'replace_capabilities',
  `
  with replaced as (
    update broker
    set capabilities = $3::jsonb, capabilities_revision = $4::bigint
    where id = $1 and capabilities_revision < $4::bigint
      and exists (select from broker_connection held where held.broker_id = $1 and held.epoch = $2::bigint)
    returning capabilities_revision
  )
  select exists (select from replaced) as "isTaken",
         coalesce((select capabilities_revision from replaced), broker.capabilities_revision) as stored
  from broker
  where broker.id = $1
  `,
);

const RELEASE = statement(
  'release_connections',
  `
  with locked as materialized (
    select connection.broker_id, connection.epoch, leaving.reason, leaving.silence_ms
    from unnest($2::uuid[], $3::bigint[], $4::text[], $5::double precision[])
      as leaving (broker_id, epoch, reason, silence_ms)
    join broker_connection connection on connection.broker_id = leaving.broker_id
    where connection.replica_id = $1 and connection.epoch = leaving.epoch
    order by connection.broker_id
    for update of connection
  ),
  released as (
    update broker_connection connection
    set replica_id = null, released_at = now(), release_reason = locked.reason,
        silent_since = now() - make_interval(secs => locked.silence_ms / 1000)
    from locked
    where connection.broker_id = locked.broker_id
  )
  update broker_stay stay
  set ended_at = now(), end_reason = locked.reason
  from locked
  where stay.broker_id = locked.broker_id and stay.epoch = locked.epoch
  `,
);

// Its holder's link is open still: what it knows is taken from it, and it learns of that by a hint.
const TAKE_AWAY = statement(
  'take_connection_away',
  `
  with locked as materialized (
    select broker_id, replica_id, epoch
    from broker_connection
    where broker_id = $1 and replica_id is not null
    for update
  ),
  released as (
    update broker_connection connection
    set replica_id = null, released_at = statement_timestamp(), release_reason = $2
    from locked
    where connection.broker_id = locked.broker_id
  ),
  ended as (
    update broker_stay stay
    set ended_at = statement_timestamp(), end_reason = $2
    from locked
    where stay.broker_id = locked.broker_id and stay.epoch = locked.epoch
  )
  select replica_id as "replicaId", epoch
  from locked
  `,
);

const STRANGERS = statement(
  'find_links_not_as_their_rows',
  `
  select link.broker_id as "brokerId", connection.replica_id as "replicaId", connection.epoch,
         connection.boot_id as "bootId", connection.release_reason as "releaseReason",
         broker.revoked_at is not null as "isRevoked"
  from unnest($2::uuid[], $3::bigint[]) as link (broker_id, epoch)
  left join broker_connection connection on connection.broker_id = link.broker_id
  left join broker on broker.id = link.broker_id
  where connection.epoch is distinct from link.epoch or connection.replica_id is distinct from $1
  `,
);

// What a connect has stored whose commit was in doubt, and landed: nobody was welcomed, and no link will end. Younger ones
// are left to connects that are under way.
const UNLINKED = statement(
  'find_connections_without_links',
  `
  select connection.broker_id as "brokerId", connection.epoch,
         date_part('epoch', now() - connection.since) * 1000 as "silenceMs"
  from broker_connection connection
  where connection.replica_id = $1 and connection.since < now() - interval '30 seconds'
    and (connection.broker_id, connection.epoch) not in (
      select link.broker_id, link.epoch from unnest($2::uuid[], $3::bigint[]) as link (broker_id, epoch)
    )
  `,
);

const READ = statement(
  'read_ownership',
  `
  select broker_id as "brokerId", replica_id as "replicaId"
  from broker_connection
  where broker_id = any ($1::uuid[])
  `,
);

const NEWEST_EPOCH = statement(
  'read_newest_epoch',
  `
  select epoch
  from broker_connection
  where broker_id = $1
  `,
);

const FIND_HOLDER = statement(
  'find_holder_of_connection',
  `
  select replica_id as "replicaId"
  from broker_connection
  where broker_id = $1 and connection_id = $2 and replica_id is not null
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
  async connect(
    replicaId: string,
    brokerId: string,
    connectionId: string,
    hello: Hello,
    transport: Transport = 'websocket',
    displaced: (run: Run, connected: Connected) => Promise<void> = () => Promise.resolve(),
  ): Promise<Connected> {
    const { lastEpoch, bootId, journalId, labels, capabilities, software, window, health } = hello;
    const version = versionOfSoftware(software);
    const rows = await this.database.transaction(async (run) => {
      await run(TAKE_TURN, [brokerId]);
      const found = await run<Connected>(CONNECT, [
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
        transport,
      ]);
      const [connected] = found;
      if (connected?.former && connected.epoch !== null && connected.former.bootId !== bootId)
        await displaced(run, connected);
      return found;
    });
    return (
      rows[0] ?? { epoch: null, revision: 0, revoked: false, flagged: false, former: null, attachments: [] }
    );
  }

  /**
   * Puts these capabilities in the place of those on record, if the epoch is the broker's newest and the revision above
   * the stored one. A connect of the broker waits for it, and it for a connect.
   */
  async replaceCapabilities(
    brokerId: string,
    epoch: number,
    { revision, capabilities }: Pick<Capabilities, 'revision' | 'capabilities'>,
  ): Promise<{ isTaken: boolean; stored: number }> {
    const rows = await this.database.transaction(async (run) => {
      await run(TAKE_TURN, [brokerId]);
      return run<{ isTaken: boolean; stored: number }>(REPLACE_CAPABILITIES, [
        brokerId,
        epoch,
        JSON.stringify(capabilities),
        revision,
      ]);
    });
    return rows[0] ?? { isTaken: false, stored: 0 };
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

  /**
   * Lets go of a broker's connection, whoever holds it, in turn with connects and claims.
   *
   * @param before done in the same transaction, before that
   * @param after likewise after it, where somebody held it
   * @returns who held it, and what `before` gave
   */
  async takeAway<T>(
    brokerId: string,
    reason: string,
    before: (run: Run) => Promise<T>,
    after: (run: Run) => Promise<void> = () => Promise.resolve(),
  ): Promise<{ former: { replicaId: string; epoch: number } | undefined; done: T }> {
    return this.database.transaction(async (run) => {
      // A statement of its own: what was connected until then is seen by the next.
      await run(TAKE_TURN, [brokerId]);
      const done = await before(run);
      const [former] = await run<{ replicaId: string; epoch: number }>(TAKE_AWAY, [brokerId, reason]);
      if (former !== undefined) await after(run);
      return { former, done };
    });
  }

  /** Of some links of this replica those that are not what their rows say. */
  async strangers(
    replicaId: string,
    links: readonly { brokerId: string; epoch: number }[],
  ): Promise<Stranger[]> {
    return this.database.run(STRANGERS, [
      replicaId,
      links.map(({ brokerId }) => brokerId),
      links.map(({ epoch }) => epoch),
    ]);
  }

  /** What the rows say that this replica has held for half a minute, and that is none of its links. */
  async unlinked(
    replicaId: string,
    links: readonly { brokerId: string; epoch: number }[],
  ): Promise<Omit<Release, 'reason'>[]> {
    return this.database.run(UNLINKED, [
      replicaId,
      links.map(({ brokerId }) => brokerId),
      links.map(({ epoch }) => epoch),
    ]);
  }

  /** The newest that a broker was ever given, and that is on record; 0 for none. */
  async newestEpoch(brokerId: string): Promise<number> {
    const [row] = await this.database.run<{ epoch: number }>(NEWEST_EPOCH, [brokerId]);
    return row?.epoch ?? 0;
  }

  /** Which replica holds this very connection of a broker, if any does. */
  async holderOf(brokerId: string, connectionId: string): Promise<string | undefined> {
    const [row] = await this.database.run<{ replicaId: string }>(FIND_HOLDER, [brokerId, connectionId]);
    return row?.replicaId;
  }

  async read(brokerIds: string[]): Promise<Ownership[]> {
    return this.database.run(READ, [brokerIds]);
  }
}
