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

// Fenced by epoch: what an old connection knows says nothing of the broker any more. A presence that a crash takes
// back is written again at the next beat, so it does not wait for the disk.
const WRITE = statement(
  'write_presence',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
  insert into broker_presence as known (broker_id, state, load, running, last_seen_at, changed_at)
  select seen.broker_id, seen.state, seen.load, seen.running,
         now() - make_interval(secs => seen.silence_ms / 1000), now()
  from relaxed, unnest($1::uuid[], $2::bigint[], $3::text[], $4::double precision[], $5::integer[], $6::double precision[])
    as seen (broker_id, epoch, state, load, running, silence_ms)
  join broker_connection connection
    on connection.broker_id = seen.broker_id and connection.epoch = seen.epoch
  order by seen.broker_id
  on conflict (broker_id) do update
  set state = excluded.state,
      load = excluded.load,
      running = excluded.running,
      last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
      changed_at = case when known.state = excluded.state then known.changed_at else excluded.changed_at end
  `,
);

// Only demotes, only brokers that no replica holds, and only by the time since their connection was let go of: an
// outage of the hub itself lets go of nobody until it is over, so everyone gets a full window after it.
const DEMOTE = statement(
  'demote_unowned_brokers',
  `
  with duty as materialized (
    select pg_try_advisory_xact_lock(hashtextextended('duty presence sweep', 3)) as mine
  ),
  silent as (
    select presence.broker_id,
           case when connection.released_at < now() - interval '60 seconds' then 'unreachable' else 'degraded' end
             as state
    from duty
    join broker_presence presence on duty.mine
    join broker_connection connection on connection.broker_id = presence.broker_id
    where connection.replica_id is null
      and connection.released_at < now() - interval '30 seconds'
      and presence.state in ('online', 'degraded')
    order by presence.broker_id
    for update of presence skip locked
  )
  update broker_presence presence
  set state = silent.state, changed_at = now()
  from silent
  where presence.broker_id = silent.broker_id and presence.state <> silent.state
  returning presence.broker_id as "brokerId", presence.state
  `,
);

/** SQL of brokers' liveness. */
@Injectable()
export class PresenceRepository {
  constructor(private readonly database: Database) {}

  async write(sightings: readonly Sighting[]): Promise<void> {
    const column = <T>(pick: (sighting: Sighting) => T) => sightings.map(pick);
    await this.database.run(WRITE, [
      column(({ brokerId }) => brokerId),
      column(({ epoch }) => epoch),
      column(({ state }) => state),
      column(({ load }) => load),
      column(({ running }) => running),
      column(({ silenceMs }) => silenceMs),
    ]);
  }

  /** Runs on one replica at a time; on the others it finds nothing to do. */
  async demoteUnowned(): Promise<{ brokerId: string; state: PresenceState }[]> {
    return this.database.run(DEMOTE);
  }
}
