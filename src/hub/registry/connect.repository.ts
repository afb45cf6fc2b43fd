import { Injectable } from '@nestjs/common';
import type { AttachmentNotice, Hello } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { Database, type Run } from '../database/database.js';
import { rowsOf } from '../database/rows-of.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { BELOW_FLOOR } from './below-floor.columns.js';
import type { Transport } from './transport.js';
import { TAKE_FREE_TURNS, TAKE_TURN } from './turn.js';
import { versionOfSoftware } from './version-floor.js';

/** A broker that wants its connection held, under an id that no connection had before. */
export type Coming = {
  brokerId: string;
  connectionId: string;
  hello: Hello;
  transport: Transport;
  /** Done in the same transaction, where another instance of the broker lost its connection by this. */
  displaced: (run: Run, connected: Connected) => Promise<void>;
};

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

// What a broker can do is told in its hello, so its attachments are on from here: but for those that were detached,
// and one whose slot was taken meanwhile. Of the stays the one that was open ends where the new one begins. The third
// within a minute that another instance puts an end to, this one among them, flags the key. Times are those of the
// statement: the transaction may have waited long for its turn. Brokers are locked in the order of their ids, attachments
// in that of their projects; the end of a project locks its attachments in none, and a batch gives way to it, as it waits
// for no lock longer than `TAKE_FREE_TURNS` lets it. A stay that is open is told by its reason: by its time the server
// would walk all that are. No broker may come twice.
const CONNECT = statement(
  'connect_brokers',
  `
  with coming as materialized (
    ${rowsOf({
      broker_id: '$2::uuid[]',
      last_epoch: '$3::bigint[]',
      connection_id: '$4::uuid[]',
      boot_id: '$5::uuid[]',
      journal_id: '$6::uuid[]',
      labels: '$7::jsonb[]',
      capabilities: '$8::jsonb[]',
      software: '$9::text[]',
      window_size: '$10::integer[]',
      version_major: '$11::integer[]',
      version_minor: '$12::integer[]',
      health: '$13::text[]',
      transport: '$14::text[]',
    })}
  ),
  former as materialized (
    select held.*
    from coming
    cross join lateral (
      select held.broker_id, held.replica_id, held.epoch, held.boot_id
      from broker_connection held
      where held.broker_id = coming.broker_id
      limit 1
    ) held
  ),
  admitting as materialized (
    select id from hub_replica where id = $1 and state in ('starting', 'active')
  ),
  known as materialized (
    select broker.*
    from (select coming.broker_id from coming order by coming.broker_id) coming
    cross join lateral (
      select broker.id, broker.revoked_at is not null as is_revoked
      from broker
      where broker.id = coming.broker_id
      for no key update of broker
    ) broker
  ),
  admitted as materialized (
    select coming.*
    from known
    join coming on coming.broker_id = known.id
    where not known.is_revoked and exists (select from admitting)
  ),
  described as (
    update broker
    set labels = admitted.labels || broker.given_labels, capabilities = admitted.capabilities,
        capabilities_revision = broker.capabilities_revision + 1, software = admitted.software,
        version_major = admitted.version_major, version_minor = admitted.version_minor,
        displaced_at = case
          when exists (
            select from former
            where former.broker_id = admitted.broker_id and former.replica_id is not null
              and former.boot_id <> admitted.boot_id
          ) then statement_timestamp()
          else displaced_at
        end
    from admitted
    where ${sought('broker.id', 'admitted.broker_id')}
    returning broker.id, broker.version_major, broker.version_minor, broker.capabilities_revision
  ),
  connected as (
    insert into broker_connection as held
      (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id, window_size)
    select coming.broker_id, $1, coming.last_epoch + 1, coming.connection_id, coming.transport, coming.boot_id,
           coming.journal_id, coming.window_size
    from described
    join coming on coming.broker_id = described.id
    order by coming.broker_id
    on conflict (broker_id) do update
    set replica_id = excluded.replica_id,
        epoch = greatest(held.epoch + 1, excluded.epoch),
        connection_id = excluded.connection_id,
        transport = excluded.transport,
        boot_id = excluded.boot_id,
        journal_id = excluded.journal_id,
        window_size = excluded.window_size,
        since = now(),
        released_at = null,
        release_reason = null
    returning broker_id, epoch, connection_id, boot_id
  ),
  stayed as (
    insert into broker_stay (broker_id, epoch, id, replica_id, began_at)
    select connected.broker_id, connected.epoch, connected.connection_id, $1, statement_timestamp()
    from connected
  ),
  displaced as (
    update broker_stay stay
    set ended_at = statement_timestamp(),
        end_reason = case when former.boot_id = connected.boot_id then 'newer_connection' else 'another_instance' end
    from connected
    join former on former.broker_id = connected.broker_id
    where ${sought('stay.broker_id', 'former.broker_id')} and ${sought('stay.epoch', 'former.epoch')}
      and stay.end_reason is null
    returning stay.broker_id, stay.end_reason
  ),
  flagged as (
    update broker_key
    set flagged_at = statement_timestamp()
    from displaced
    where ${sought('broker_key.broker_id', 'displaced.broker_id')} and broker_key.retired_at is null
      and displaced.end_reason = 'another_instance'
      and (
        select count(*) from broker_stay earlier
        where earlier.broker_id = displaced.broker_id and earlier.end_reason = 'another_instance'
          and earlier.ended_at > statement_timestamp() - interval '1 minute'
      ) >= 2
    returning broker_key.broker_id
  ),
  attachable as materialized (
    select attachment.project_id, attachment.broker_id, coming.health
    from connected
    join coming on coming.broker_id = connected.broker_id
    join broker_attachment attachment on ${sought('attachment.broker_id', 'coming.broker_id')}
    where attachment.detached_at is null and attachment.state <> 'revoked'
      and not (attachment.is_exclusive and attachment.state = 'offline' and exists (
        select from broker_attachment other
        where other.broker_id = coming.broker_id and other.is_exclusive
          and other.state in ('registering', 'online', 'degraded')
      ))
    order by attachment.project_id, attachment.broker_id
    for no key update of attachment
  ),
  attached as (
    update broker_attachment attachment
    set state = attachable.health,
        changed_at = case when attachment.state = attachable.health then attachment.changed_at else now() end
    from attachable
    where ${sought('attachment.broker_id', 'attachable.broker_id')}
      and ${sought('attachment.project_id', 'attachable.project_id')}
    returning attachment.broker_id, attachment.project_id, attachment.state
  ),
  told as (
    select attached.broker_id, attached.project_id, project.name, attached.state, ${BELOW_FLOOR} as read_only,
           row_number() over (partition by attached.broker_id order by attached.project_id) as place
    from attached
    join project on ${sought('project.id', 'attached.project_id')}
    join described broker on broker.id = attached.broker_id
  ),
  notices as materialized (
    select broker_id,
           json_agg(
             json_build_object('project', project_id, 'name', name, 'state', state, 'readOnly', read_only)
             order by place
           ) as told
    from told
    where place <= $15
    group by broker_id
  )
  select coming.broker_id as "brokerId", connected.epoch,
         coalesce(described.capabilities_revision, 0) as revision,
         coalesce(known.is_revoked, false) as revoked,
         exists (select from flagged where flagged.broker_id = coming.broker_id) as flagged,
         case when former.replica_id is not null
           then json_build_object('replicaId', former.replica_id, 'bootId', former.boot_id)
         end as former,
         coalesce(notices.told, '[]') as attachments
  from coming
  left join known on known.id = coming.broker_id
  left join former on former.broker_id = coming.broker_id
  left join connected on connected.broker_id = coming.broker_id
  left join described on described.id = coming.broker_id
  left join notices on notices.broker_id = coming.broker_id
  `,
);

const NOTHING_DONE: Connected = {
  epoch: null,
  revision: 0,
  revoked: false,
  flagged: false,
  former: null,
  attachments: [],
};

/** SQL that takes the connections of brokers for a replica, the newest coming wins. */
@Injectable()
export class ConnectRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes a broker's connection for a replica under a new epoch, and notes what the broker says of itself. It waits for
   * its turn. Committed when it resolves.
   */
  async connect(replicaId: string, coming: Coming): Promise<Connected> {
    return this.database.transaction(async (run) => {
      await run(TAKE_TURN, [coming.brokerId]);
      const connected = await connect(run, replicaId, [coming]);
      return connected.get(coming.brokerId) ?? NOTHING_DONE;
    });
  }

  /**
   * The same for many brokers at once, each of which comes once. It waits for nobody's turn.
   *
   * @returns what was done, by the broker; those are left out whose turn another had
   */
  async connectFree(replicaId: string, comings: readonly Coming[]): Promise<Map<string, Connected>> {
    return this.database.transaction(async (run) => {
      const free = await run<{ brokerId: string }>(TAKE_FREE_TURNS, [
        comings.map(({ brokerId }) => brokerId),
      ]);
      const turns = new Set(free.map(({ brokerId }) => brokerId));
      return connect(
        run,
        replicaId,
        comings.filter(({ brokerId }) => turns.has(brokerId)),
      );
    });
  }
}

/** In a transaction that has the turn of each: a statement of its own, to which what was connected until then is seen. */
async function connect(
  run: Run,
  replicaId: string,
  comings: readonly Coming[],
): Promise<Map<string, Connected>> {
  if (comings.length === 0) return new Map();
  const hellos = comings.map(({ hello }) => hello);
  const versions = hellos.map(({ software }) => versionOfSoftware(software));
  const rows = await run<Connected & { brokerId: string }>(CONNECT, [
    replicaId,
    comings.map(({ brokerId }) => brokerId),
    hellos.map(({ lastEpoch }) => lastEpoch),
    comings.map(({ connectionId }) => connectionId),
    hellos.map(({ bootId }) => bootId),
    hellos.map(({ journalId }) => journalId),
    hellos.map(({ labels }) => JSON.stringify(labels)),
    hellos.map(({ capabilities }) => JSON.stringify(capabilities)),
    hellos.map(({ software }) => software),
    hellos.map(({ window }) => window),
    versions.map((version) => version?.major ?? null),
    versions.map((version) => version?.minor ?? null),
    hellos.map(({ health }) => health),
    comings.map(({ transport }) => transport),
    LIMITS.batch,
  ]);
  const connected = new Map(rows.map(({ brokerId, ...row }) => [brokerId, row]));
  for (const { brokerId, hello, displaced } of comings) {
    const found = connected.get(brokerId);
    if (found?.former && found.epoch !== null && found.former.bootId !== hello.bootId)
      await displaced(run, found);
  }
  return connected;
}
