import { Injectable } from '@nestjs/common';
import type { Capabilities } from '../../protocol/frame.js';
import { Database, type Run } from '../database/database.js';
import { storable } from '../database/jsonb.js';
import { statement } from '../database/statement.js';
import { TAKE_TURN } from './turn.js';

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
