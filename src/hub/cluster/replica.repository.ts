import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import type { DirectConnection } from '../database/direct.js';
import { statement } from '../database/statement.js';
import type { ReplicaRow, ReplicaState } from './replica-row.js';

// Where nobody knows whether it was done it is done again.
const ENTER = statement(
  'enter_replica',
  `
  insert into hub_replica
    (id, name, session_name, public_url, internal_url, software, protocol_min, protocol_max, state)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
  on conflict (id) do nothing
  `,
);

// A gap in the beats starts the time anew after which this replica may judge others: at the end of an outage of
// the database everybody looks dead to everybody.
const BEAT = statement(
  'beat_replica',
  `
  update hub_replica
  set last_seen_at = clock_timestamp(),
      beating_since = case
        when last_seen_at < clock_timestamp() - interval '4 seconds' then clock_timestamp()
        else beating_since
      end
  where id = $1 and state <> 'gone'
  returning clock_timestamp() as now
  `,
);

const BURY = statement(
  'bury_dead_replicas',
  `
  update hub_replica dead
  set state = 'gone', ended_at = clock_timestamp()
  where dead.state <> 'gone'
    and dead.last_seen_at < clock_timestamp() - interval '5 seconds'
    and exists (
      select from hub_replica judge
      where judge.id = $1
        and judge.state <> 'gone'
        and judge.beating_since < clock_timestamp() - interval '6 seconds'
        and judge.last_seen_at > clock_timestamp() - interval '4 seconds'
    )
  returning dead.id, dead.session_name as "sessionName"
  `,
);

const END_SESSIONS = statement(
  'end_sessions_of_dead_replicas',
  `
  select pg_terminate_backend(session.pid)
  from pg_stat_activity session
  join unnest($1::text[]) as dead (session_name) on session.application_name like dead.session_name || '%'
  where session.pid <> pg_backend_pid()
  `,
);

// Who is gone is settled first, and a connection is taken from that one alone. A row that another replica has taken
// meanwhile is looked at once more before it is locked, but the absence of its holder is not looked for again.
const RELEASE_ORPHANS = statement(
  'release_connections_of_gone_replicas',
  `
  with gone as materialized (
    select distinct holder.replica_id
    from broker_connection holder
    where not exists (
      select from hub_replica replica
      where replica.id = holder.replica_id and replica.state <> 'gone'
    )
  ),
  locked as materialized (
    select connection.broker_id, connection.epoch
    from gone
    join broker_connection connection on connection.replica_id = gone.replica_id
    order by connection.broker_id
    for update of connection skip locked
  ),
  ended as (
    update broker_stay stay
    set ended_at = now(), end_reason = 'replica_gone'
    from locked
    where stay.broker_id = locked.broker_id and stay.epoch = locked.epoch
  )
  update broker_connection connection
  set replica_id = null, released_at = now(), release_reason = 'replica_gone'
  from locked
  where connection.broker_id = locked.broker_id
  returning connection.broker_id as "brokerId"
  `,
);

const SET_STATE = statement(
  'set_replica_state',
  `
  update hub_replica
  set state = $2, ended_at = case when $2 = 'gone' then now() end
  where id = $1 and state <> 'gone'
  returning id
  `,
);

const ACTIVATE = statement(
  'activate_replica',
  `
  update hub_replica
  set state = 'active', public_url = $2
  where id = $1 and state = 'starting'
  returning id
  `,
);

const ADVERTISE = statement('advertise_replica', `update hub_replica set internal_url = $2 where id = $1`);

const FIND_INTERNAL_URL = statement(
  'find_internal_url_of_replica',
  `select internal_url as url from hub_replica where id = $1 and state <> 'gone'`,
);

const INTERNAL_URLS = statement(
  'list_internal_urls_of_live_replicas',
  `
  select id, internal_url as url
  from hub_replica
  where state in ('active', 'draining') and internal_url is not null and id <> $1
    and last_seen_at > now() - interval '5 seconds'
  order by started_at desc
  limit 16
  `,
);

const LIST = statement(
  'list_replicas',
  `
  select replica.id, replica.name, replica.public_url as "publicUrl", replica.software, replica.state,
         replica.started_at as "startedAt", replica.last_seen_at as "lastSeenAt", replica.ended_at as "endedAt",
         (select count(*) from broker_connection connection where connection.replica_id = replica.id) as brokers
  from hub_replica replica
  where replica.state <> 'gone' or replica.ended_at > now() - interval '1 day'
  order by replica.started_at desc, replica.id
  limit 200
  `,
);

const FORGET = statement(
  'forget_old_replicas',
  `delete from hub_replica where state = 'gone' and ended_at < now() - interval '30 days'`,
);

const PUBLIC_URLS = statement(
  'list_public_urls_of_live_replicas',
  `
  select public_url as url
  from hub_replica
  where state = 'active' and public_url is not null and id <> $1
    and last_seen_at > now() - interval '5 seconds'
  order by started_at
  limit 16
  `,
);

const HAS_PEERS = statement(
  'has_live_peers',
  `
  select exists (
    select from hub_replica
    where state = 'active' and id <> $1 and last_seen_at > now() - interval '5 seconds'
  ) as found
  `,
);

const HUB_ID = statement('read_hub_identity', `select id from hub_identity`);

/** SQL of replicas. What the beat needs runs on a connection of its own, handed in. */
@Injectable()
export class ReplicaRepository {
  constructor(private readonly database: Database) {}

  async enter(row: {
    id: string;
    name: string;
    sessionName: string;
    publicUrl: string | null;
    internalUrl: string | null;
    software: string;
    protocol: { min: number; max: number };
    state: ReplicaState;
  }): Promise<void> {
    const { id, name, sessionName, publicUrl, internalUrl, software, protocol, state } = row;
    await this.database.run(ENTER, [
      id,
      name,
      sessionName,
      publicUrl,
      internalUrl,
      software,
      protocol.min,
      protocol.max,
      state,
    ]);
  }

  /** The database's time, or undefined where this replica was declared gone. */
  async beat(connection: DirectConnection, id: string): Promise<Date | undefined> {
    const [row] = await connection.run<{ now: Date }>(BEAT, [id]);
    return row?.now;
  }

  /** Marks silent replicas as gone, unless the judge itself has only just begun to beat. */
  async buryDead(judge: string): Promise<{ id: string; sessionName: string }[]> {
    return this.database.run(BURY, [judge]);
  }

  async endSessions(sessionNames: string[]): Promise<void> {
    await this.database.run(END_SESSIONS, [sessionNames]);
  }

  /** Takes every connection from replicas that are gone; acts on what it sees, so anybody may do it any time. */
  async releaseOrphans(): Promise<string[]> {
    const rows = await this.database.run<{ brokerId: string }>(RELEASE_ORPHANS);
    return rows.map(({ brokerId }) => brokerId);
  }

  /** @returns false where the replica was declared gone already */
  async setState(id: string, state: ReplicaState): Promise<boolean> {
    return (await this.database.run(SET_STATE, [id, state])).length > 0;
  }

  /** @returns false where the replica is not starting any more */
  async activate(id: string, publicUrl: string): Promise<boolean> {
    return (await this.database.run(ACTIVATE, [id, publicUrl])).length > 0;
  }

  async advertise(id: string, internalUrl: string): Promise<void> {
    await this.database.run(ADVERTISE, [id, internalUrl]);
  }

  /** Where a replica is found by the others, unless it is gone or has not said so yet. */
  async internalUrl(id: string): Promise<string | undefined> {
    const [row] = await this.database.run<{ url: string | null }>(FIND_INTERNAL_URL, [id]);
    return row?.url ?? undefined;
  }

  /** Where the other live replicas are found. */
  async internalUrls(except: string): Promise<{ id: string; url: string }[]> {
    return this.database.run(INTERNAL_URLS, [except]);
  }

  async list(): Promise<ReplicaRow[]> {
    return this.database.run(LIST);
  }

  async forgetOld(): Promise<void> {
    await this.database.run(FORGET);
  }

  async publicUrls(except: string): Promise<string[]> {
    return (await this.database.run<{ url: string }>(PUBLIC_URLS, [except])).map(({ url }) => url);
  }

  /** Whether another replica could take brokers over. */
  async hasPeers(id: string): Promise<boolean> {
    return (await this.database.run<{ found: boolean }>(HAS_PEERS, [id]))[0]?.found === true;
  }

  async hubId(): Promise<string> {
    const [row] = await this.database.run<{ id: string }>(HUB_ID);
    if (row === undefined) throw new Error('the hub has no identity: the schema was not migrated');
    return row.id;
  }
}
