import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { PresenceState } from '../registry/presence-state.js';

/** What a replica knows of one of its brokers; only good under the epoch it was seen under. */
export type Sighting = {
  brokerId: string;
  epoch: number;
  state: PresenceState;
  load: number | null;
  running: number;
  /** Milliseconds since the broker gave a sign of life. */
  silenceMs: number;
};

/** A word that was taken, and what stood there before; null where nothing did. */
export type Change = { brokerId: string; epoch: number; was: PresenceState | null; state: PresenceState };

/** A broker that nobody holds, and that the sweep has found silent. */
export type Demoted = { brokerId: string; epoch: number; was: PresenceState; state: PresenceState };

// Fenced by the connection's row, which is held until the word is written: what an old connection knows says nothing of
// the broker any more, and what was let go of may only say goodbye. A presence that a crash takes back is written again
// at the next beat, so it does not wait for the disk.
const CHANGE = statement(
  'change_presence',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
  held as materialized (
    select seen.broker_id, seen.epoch, seen.state, seen.load, seen.running, seen.silence_ms, former.state as was
    from relaxed, unnest($1::uuid[], $2::bigint[], $3::text[], $4::double precision[], $5::integer[], $6::double precision[])
      as seen (broker_id, epoch, state, load, running, silence_ms)
    join broker_connection connection on connection.broker_id = seen.broker_id
    left join broker_presence former on former.broker_id = seen.broker_id
    where connection.epoch = seen.epoch
      and (connection.replica_id is not null or seen.state = 'offline')
    order by connection.broker_id
    for share of connection
  ),
  written as (
    insert into broker_presence as known (broker_id, state, load, running, last_seen_at, changed_at, epoch)
    select broker_id, state, load, running, now() - make_interval(secs => silence_ms / 1000), now(), epoch
    from held
    on conflict (broker_id) do update
    set state = excluded.state,
        load = excluded.load,
        running = excluded.running,
        last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
        changed_at = case when known.state = excluded.state then known.changed_at else excluded.changed_at end,
        epoch = excluded.epoch
  )
  select broker_id as "brokerId", epoch, was, state from held
  `,
);

// Nothing but the row itself is read: it bears the epoch of the word that it holds. None of these columns is in an index,
// so the row is written anew where it stands.
const NOTE = statement(
  'note_quiet_beats',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
  update broker_presence presence
  set load = seen.load,
      running = seen.running,
      last_seen_at = greatest(presence.last_seen_at, now() - make_interval(secs => seen.silence_ms / 1000))
  from relaxed, unnest($1::uuid[], $2::bigint[], $3::text[], $4::double precision[], $5::integer[], $6::double precision[])
    as seen (broker_id, epoch, state, load, running, silence_ms)
  where presence.broker_id = seen.broker_id and presence.epoch = seen.epoch and presence.state = seen.state
  returning presence.broker_id as "brokerId"
  `,
);

// Only demotes, and only brokers that no replica holds. Silence counts from the last sign of life, where the replica that
// let go of the broker could tell it; from that moment, where the replica had died; and never from before the hub could
// be reached without a gap: so everyone gets a full window after an outage of the hub or its database. The connection is
// held, so that a broker which comes back meanwhile is not judged by what it was.
const DEMOTE = statement(
  'demote_unowned_brokers',
  `
  with duty as materialized (
    select pg_try_advisory_xact_lock(hashtextextended('duty presence sweep', 3)) as mine
  ),
  reachable as materialized (
    select min(beating_since) as since
    from hub_replica
    where state = 'active' and last_seen_at > now() - interval '4 seconds'
  ),
  silent as (
    select presence.broker_id, presence.state as was, connection.epoch, judged.state
    from duty
    join reachable on duty.mine and reachable.since is not null
    cross join broker_presence presence
    join broker_connection connection on connection.broker_id = presence.broker_id
    cross join lateral (
      select greatest(reachable.since, case when connection.silent_since >= connection.since
               then connection.silent_since else connection.released_at end) as since
    ) silence
    cross join lateral (
      select case when silence.since < now() - interval '60 seconds' then 'unreachable' else 'degraded' end as state
    ) judged
    where connection.replica_id is null
      and presence.state in ('online', 'degraded') and presence.state <> judged.state
      and silence.since < now() - interval '30 seconds'
    order by presence.broker_id
    for update of presence skip locked
    for share of connection skip locked
  )
  update broker_presence presence
  set state = silent.state, changed_at = now()
  from silent
  where presence.broker_id = silent.broker_id
  returning presence.broker_id as "brokerId", silent.epoch, silent.was, presence.state
  `,
);

/** SQL of brokers' liveness. */
@Injectable()
export class PresenceRepository {
  constructor(private readonly database: Database) {}

  /** Writes states, each where it may be. @returns those that were taken */
  async change(sightings: readonly Sighting[]): Promise<Change[]> {
    return this.database.run(CHANGE, columnsOf(sightings));
  }

  /** Writes what may change in a state that stays. @returns the brokers of which that state still stands there */
  async note(sightings: readonly Sighting[]): Promise<string[]> {
    if (sightings.length === 0) return [];
    const rows = await this.database.run<{ brokerId: string }>(NOTE, columnsOf(sightings));
    return rows.map(({ brokerId }) => brokerId);
  }

  /** Runs on one replica at a time; on the others it finds nothing to do. */
  async demoteUnowned(): Promise<Demoted[]> {
    return this.database.run(DEMOTE);
  }
}

/** In the order in which every statement takes these rows, so that no two wait for each other. */
function columnsOf(sightings: readonly Sighting[]): unknown[][] {
  const sorted = [...sightings].sort((one, other) => (one.brokerId < other.brokerId ? -1 : 1));
  const column = <T>(pick: (sighting: Sighting) => T) => sorted.map(pick);
  return [
    column(({ brokerId }) => brokerId),
    column(({ epoch }) => epoch),
    column(({ state }) => state),
    column(({ load }) => load),
    column(({ running }) => running),
    column(({ silenceMs }) => silenceMs),
  ];
}
