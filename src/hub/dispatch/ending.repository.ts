import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { rowsOf } from '../database/rows-of.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { PASSED_BEFORE_AGAIN, PASSED_BEFORE_BEGUN } from './deadline-passed.columns.js';
import { floorOf } from './floor.columns.js';
import { ENDING_COLUMNS, HISTORY_COLUMNS, KEPT_BY_CANCEL, KEPT_COLUMNS } from './history.columns.js';
import { isOfKey } from './key-rule.columns.js';
import type { Ending } from './settle.repository.js';
import { LINK_BOUND, stateAfter, statesBefore } from './state.js';

/** What a wish to cancel found: a row that it ended, or one that the broker must be asked about by its owner. */
export type Cancelling = Ending & { hasEnded: boolean; owner: string | null };

// A row that was on the wire is given 30 s past its deadline for the broker's own word; without one, nobody knows
// whether it had an effect, and its error says so. Nor does anybody of one that failed, or was begun and lost, before
// it was put back. Only deadlines of late are looked at, each twice: when it passes, and 30 s later. See Sweeps.
const EXPIRE = statement(
  'expire_overdue',
  `
  with waiting as materialized (
    select dispatch.id
    from broker_dispatch dispatch
    where dispatch.deadline_at < now()
      and dispatch.deadline_at >= now() - make_interval(secs => $1::double precision)
      and dispatch.state = any ($2::text[]) and dispatch.state = 'pending'
    order by dispatch.deadline_at
    limit $3
    for update of dispatch skip locked
  ),
  silent as materialized (
    select dispatch.id
    from broker_dispatch dispatch
    where dispatch.deadline_at < now() - interval '30 seconds'
      and dispatch.deadline_at >= now() - interval '30 seconds' - make_interval(secs => $1::double precision)
      and dispatch.state = any ($2::text[]) and dispatch.state <> 'pending'
    order by dispatch.deadline_at
    limit $3
    for update of dispatch skip locked
  ),
  locked as (select id from waiting union all select id from silent),
  removed as (
    delete from broker_dispatch dispatch
    using locked
    where ${sought('dispatch.id', 'locked.id')}
    returning dispatch.*
  ),
  ended as (
    insert into broker_dispatch_history (${HISTORY_COLUMNS})
    select ${KEPT_COLUMNS},
           $4::text, failures, null,
           case
             when state = 'pending' and failures = 0
             then ${PASSED_BEFORE_BEGUN}
             when state = 'pending'
             then ${PASSED_BEFORE_AGAIN}
             else jsonb_build_object('code', 'deadline_passed', 'message', 'The deadline passed without the broker''s word.',
                                     'retryable', false, 'data', jsonb_build_object('effect', 'unknown'))
           end,
           append_step(trail, jsonb_build_object(
             'state', $4::text, 'at', clock_timestamp(), 'replica', $5::uuid, 'attempt', attempt,
             'reason', 'deadline_passed'
           ))
    from removed
    returning *
  )
  select ${ENDING_COLUMNS} from ended
  `,
);

// What is pending has no attempt outstanding: it ends at once. What is out keeps the mark until the broker answers.
const CANCEL = statement(
  'cancel_dispatch',
  `
  with locked as materialized (
    select dispatch.id, dispatch.state
    from broker_dispatch dispatch
    where dispatch.id = $1 and dispatch.state = any ($2::text[])
    for update of dispatch
  ),
  removed as (
    delete from broker_dispatch dispatch
    using locked
    where ${sought('dispatch.id', 'locked.id')} and locked.state = 'pending'
    returning dispatch.*
  ),
  ended as (
    insert into broker_dispatch_history (${HISTORY_COLUMNS})
    select ${KEPT_BY_CANCEL},
           $3::text, failures, null, null,
           append_step(trail, jsonb_build_object(
             'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt,
             'reason', case when attempt = 0 then 'never_sent' else 'stopped' end
           ))
    from removed
    returning *
  ),
  marked as (
    update broker_dispatch dispatch
    set cancel_requested_at = now(),
        trail = append_step(dispatch.trail, jsonb_build_object(
          'state', 'cancel_requested', 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', dispatch.attempt
        ))
    from locked
    where ${sought('dispatch.id', 'locked.id')} and locked.state <> 'pending' and dispatch.cancel_requested_at is null
    returning dispatch.id
  )
  select found.*, connection.replica_id as owner
  from (
    select ${ENDING_COLUMNS}, true as "hasEnded" from ended
    union all
    select ${ENDING_COLUMNS}, false
    from broker_dispatch where id = any (array(select id from locked where state <> 'pending'))
  ) found
  left join broker_connection connection on connection.broker_id = found."brokerId"
  `,
);

// The later one may be out already: one that was to be sent at a later time did not hold it up, and would undo it then. They
// are looked for from the broker's floor on, so that no dead index entries are walked.
const SUPERSEDE = statement(
  'supersede_dispatches',
  `
  with asked as materialized (
    select asked.broker_id, asked.ordering_key,
           ${floorOf('asked.broker_id')} as floor
    from (select distinct * from unnest($1::uuid[], $2::text[]) as told (broker_id, ordering_key)) asked
  ),
  locked as materialized (
    select dispatch.id
    from asked
    cross join lateral (
      select dispatch.id
      from broker_dispatch dispatch
      where ${isOfKey('dispatch', 'asked', 'asked.floor')}
        and dispatch.contract = 'latest_only' and dispatch.state = any ($3::text[])
        and exists (
          select from broker_dispatch later
          where ${isOfKey('later', 'dispatch', 'dispatch.seq + 1')}
            and later.contract = 'latest_only'
          offset 0
        )
      order by dispatch.seq
      for update of dispatch skip locked
    ) dispatch
  ),
  removed as (
    delete from broker_dispatch dispatch
    using locked
    where ${sought('dispatch.id', 'locked.id')}
    returning dispatch.*
  ),
  ended as (
    insert into broker_dispatch_history (${HISTORY_COLUMNS})
    select ${KEPT_COLUMNS},
           $4::text, failures, null,
           jsonb_build_object('code', 'superseded', 'retryable', false,
                              'message', 'A later command of its key took its place.'),
           append_step(trail, jsonb_build_object(
             'state', $4::text, 'at', clock_timestamp(), 'replica', $5::uuid, 'attempt', attempt,
             'reason', 'superseded'
           ))
    from removed
    returning *
  )
  select ${ENDING_COLUMNS} from ended
  `,
);

const LAPSE_MOST = 1_000;

// Told in words, so that the index of such rows alone is known to hold them: hardly any is bound to a link.
const IS_BOUND = `dispatch.contract in (${LINK_BOUND.map((contract) => `'${contract}'`).join(', ')})`;

/** Ends what is in `locked`; the state is `$3`, the replica `$4`. */
const LAPSED = `removed as (
    delete from broker_dispatch dispatch
    using locked
    where ${sought('dispatch.id', 'locked.id')}
    returning dispatch.*
  ),
  ended as (
    insert into broker_dispatch_history (${HISTORY_COLUMNS})
    select ${KEPT_COLUMNS},
           $3::text, failures, null,
           jsonb_build_object('code', 'broker_offline', 'retryable', false, 'data', jsonb_build_object('effect', 'none'),
                              'message', 'The link that it was to go out on ended before it was begun.'),
           append_step(trail, jsonb_build_object(
             'state', $3::text, 'at', clock_timestamp(), 'replica', $4::uuid, 'attempt', attempt,
             'reason', 'broker_offline'
           ))
    from removed
    returning *
  )
  select ${ENDING_COLUMNS} from ended`;

const LAPSE = statement(
  'lapse_link_bound',
  `
  with gone as materialized (
    select asked.broker_id, asked.epoch,
           ${floorOf('asked.broker_id')} as floor
    from (${rowsOf({ broker_id: '$1::uuid[]', epoch: '$2::bigint[]' })}) asked
  ),
  locked as materialized (
    select dispatch.id
    from gone
    cross join lateral (
      select dispatch.id
      from broker_dispatch dispatch
      where dispatch.broker_id = gone.broker_id
        and dispatch.seq >= gone.floor
        and ${IS_BOUND}
        and dispatch.link_epoch <= gone.epoch
        and dispatch.state = 'pending'
      order by dispatch.seq
      for update of dispatch skip locked
    ) dispatch
  ),
  ${LAPSED}
  `,
);

// A command may be stored in the very moment in which the link ends that it is bound to: then nobody who ended what was
// bound to it could see it. `$1` names those to look at, and is null where all are looked at.
const lapseStaleText = (which: string, isBound: string) => `
  with locked as materialized (
    select dispatch.id
    from broker_dispatch dispatch
    left join broker_connection connection on ${sought('connection.broker_id', 'dispatch.broker_id')}
    where ${which}
      and ${isBound}
      and dispatch.state = 'pending'
      and (connection.epoch > dispatch.link_epoch
           or dispatch.link_epoch is not null and connection.replica_id is null)
    order by dispatch.seq
    limit $2
    for update of dispatch skip locked
  ),
  ${LAPSED}
  `;

const LAPSE_ALL_STALE = statement(
  'lapse_bound_to_links_that_are_over',
  lapseStaleText('$1::uuid[] is null', IS_BOUND),
);

// Some are found by their ids, and by nothing else.
const LAPSE_STALE = statement(
  'lapse_those_bound_to_links_that_are_over',
  lapseStaleText('dispatch.id = any ($1::uuid[])', 'dispatch.contract = any ($5::text[])'),
);

// The broker is here again, and its inventory was taken, which `why` reads: what waited for its next link goes out on
// this one, or not at all.
const BIND = statement(
  'bind_to_link',
  `
  with ready as (
    insert into broker_dispatch_floor (broker_id, seq, ready_epoch) values ($1, 0, $2)
    on conflict (broker_id) do update
    set ready_epoch = greatest(broker_dispatch_floor.ready_epoch, excluded.ready_epoch)
  )
  update broker_dispatch
  set link_epoch = $2
  where broker_id = $1 and seq >= ${floorOf('$1')} and contract = 'on_attach' and link_epoch is null
  `,
);

/** SQL of endings that are not a broker's word: time, the caller's wish, a later command, a link's end. */
@Injectable()
export class EndingRepository {
  constructor(private readonly database: Database) {}

  /** @param withinS how long ago, in seconds, the deadlines may have passed */
  async expireOverdue(replicaId: string, withinS: number, most: number): Promise<Ending[]> {
    return this.database.run(EXPIRE, [
      withinS,
      statesBefore('expire'),
      most,
      stateAfter('expire'),
      replicaId,
    ]);
  }

  /** @returns undefined where no live row has the id */
  async cancel(id: string, replicaId: string): Promise<Cancelling | undefined> {
    const rows = await this.database.run<Cancelling>(CANCEL, [
      id,
      statesBefore('cancel'),
      stateAfter('cancel'),
      replicaId,
    ]);
    return rows[0];
  }

  /** Ends, of each key, the pending commands of the contract `latest_only` that are not its latest. */
  async supersede(
    keys: readonly { brokerId: string; orderingKey: string }[],
    replicaId: string,
  ): Promise<Ending[]> {
    return this.database.run(SUPERSEDE, [
      keys.map(({ brokerId }) => brokerId),
      keys.map(({ orderingKey }) => orderingKey),
      statesBefore('supersede'),
      stateAfter('supersede'),
      replicaId,
    ]);
  }

  /** Ends what waits for links that are over: of each broker those of this epoch or before. */
  async lapse(links: readonly { brokerId: string; epoch: number }[], replicaId: string): Promise<Ending[]> {
    return this.database.run(LAPSE, [
      links.map(({ brokerId }) => brokerId),
      links.map(({ epoch }) => epoch),
      stateAfter('lapse'),
      replicaId,
    ]);
  }

  /** Ends, of some commands or of all, those that are bound to a link that is over. */
  async lapseStale(ids: readonly string[] | null, replicaId: string): Promise<Ending[]> {
    const values = [ids, LAPSE_MOST, stateAfter('lapse'), replicaId];
    return ids === null
      ? this.database.run(LAPSE_ALL_STALE, values)
      : this.database.run(LAPSE_STALE, [...values, LINK_BOUND]);
  }

  async bindToLink(brokerId: string, epoch: number): Promise<void> {
    await this.database.run(BIND, [brokerId, epoch]);
  }
}
