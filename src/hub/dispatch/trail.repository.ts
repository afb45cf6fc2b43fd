import { Injectable } from '@nestjs/common';
import type { BrokerError } from '../../protocol/frame.js';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { LAST_ID } from './list.columns.js';
import { readable } from './trail-step.js';
import type { TrailStep } from './record.js';
import type { DispatchState, Lane } from './state.js';

/** A dispatch with its trail, as its row has them. */
export type TrailRow = {
  id: string;
  seq: number;
  brokerId: string;
  brokerName: string | null;
  agentId: string | null;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  state: DispatchState;
  attempt: number;
  createdAt: Date;
  notBefore: Date | null;
  deadlineAt: Date;
  endedAt: Date | null;
  error: BrokerError | null;
  idempotencyKey: string | null;
  redriveOf: string | null;
  records: number;
  readAt: Date;
  trail: TrailStep[];
};

export type TrailRange = {
  /** Only ids after this one, and before the other. */
  after: string;
  before: string;
  brokerId: string | null;
  limit: number;
  /** Of these projects alone; null for all, and those of none. */
  sees: Scope['sees'];
};

const TRAIL_COLUMNS = `
      dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
      dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
      dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.not_before as "notBefore",
      dispatch.deadline_at as "deadlineAt",
      dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey", dispatch.redrive_of as "redriveOf",
      ${readable('dispatch.trail')} as trail, now() as "readAt"`;

/**
 * One page over both tables in one statement, so that a row that moves between them is seen once; one that stands in both at the
 * same time is a fault, which the proof is told of. Live rows are looked for no further than ended ones fill the page: what has
 * ended leaves dead entries in the indexes of the live, which stay for as long as the oldest transaction, and each page would
 * walk all that follow it.
 *
 * @param of which live and which ended ones, as conditions on `dispatch`; @param last of the ids that are looked at, excluded
 */
const pageText = (of: { live: string; ended: string }, last: string, limit: string) => `
  with ended as materialized (
    select ${TRAIL_COLUMNS}, dispatch.ended_at as "endedAt", dispatch.error,
           case when exists (select from broker_dispatch live where ${sought('live.id', 'dispatch.id')}) then 2 else 1 end
             as records
    from broker_dispatch_history dispatch
    left join broker on broker.id = dispatch.broker_id
    where ${of.ended} and dispatch.id < ${last}
    order by dispatch.id
    limit ${limit}
  )
  select listed.* from (
    (
      select ${TRAIL_COLUMNS}, null::timestamptz as "endedAt", null::jsonb as error, 1 as records
      from broker_dispatch dispatch
      left join broker on broker.id = dispatch.broker_id
      where ${of.live} and dispatch.id < coalesce((select id from ended order by id offset ${limit} - 1), ${last})
        and not exists (select from broker_dispatch_history ended where ended.id = dispatch.id)
      order by dispatch.id
      limit ${limit}
    )
    union all
    select * from ended
  ) listed
  order by listed.id
  limit ${limit}
  `;

const IN_RANGE = `dispatch.id > $1::uuid
      and ($3::uuid is null or dispatch.broker_id = $3)
      and ${isSeen('dispatch.project_id', '$5')}`;

const LIST = statement('list_trails', pageText({ live: IN_RANGE, ended: IN_RANGE }, '$2::uuid', '$4'));

// Of the history only what was accepted after a given id is looked at, since it is kept by ids.
const LIST_ALIVE = statement(
  'list_trails_alive_within',
  pageText(
    {
      live: 'dispatch.broker_id = any ($1::uuid[]) and dispatch.id > $2::uuid and dispatch.created_at < $4',
      ended: `dispatch.broker_id = any ($1::uuid[]) and dispatch.id > greatest($2::uuid, $5::uuid)
        and dispatch.created_at < $4 and dispatch.ended_at >= $3`,
    },
    `'${LAST_ID}'::uuid`,
    '$6',
  ),
);

const HAS_LIVE = statement(
  'has_live_commands_of_brokers',
  `
  select exists (
    select from broker_dispatch where broker_id = any ($1::uuid[]) and created_at < $2
  ) as "hasLive"
  `,
);

// An inventory adopts what is out, or puts it back, within a moment: what is out under an older link than its broker has
// had for long is with nobody. So is what nothing ends at its deadline.
const FIND_STRANDED = statement(
  'find_stranded_commands',
  `
  with live as materialized (
    select id, state, broker_id, claim_epoch, deadline_at
    from broker_dispatch
    where broker_id = any ($1::uuid[]) and created_at < $2
  )
  select live.id, live.state
  from live
  join broker_connection held on held.broker_id = live.broker_id
  where (live.state in ('claimed', 'running') and live.claim_epoch < held.epoch
      and held.replica_id is not null and held.since < now() - interval '30 seconds')
    or live.deadline_at < now() - interval '1 minute'
  order by live.id
  limit 1000
  `,
);

/** What was alive at some time of a span, of some brokers. */
export type AliveRange = {
  brokerIds: readonly string[];
  /** Only ids after this one. */
  after: string;
  from: Date;
  until: Date;
  /** Of what has ended only ids after this one. */
  earliest: string;
  limit: number;
};

/** SQL that reads many trails, for whoever checks them. */
@Injectable()
export class TrailRepository {
  constructor(private readonly database: Database) {}

  /** Oldest first, by id; each once, live or ended. */
  async list({ after, before, brokerId, limit, sees }: TrailRange): Promise<TrailRow[]> {
    return this.database.runPlanned(LIST, [after, before, brokerId, limit, sees]);
  }

  /** Oldest first, by id; each once. */
  async listAlive({ brokerIds, after, from, until, earliest, limit }: AliveRange): Promise<TrailRow[]> {
    return this.database.runPlanned(LIST_ALIVE, [brokerIds, after, from, until, earliest, limit]);
  }

  /** Whether any that was accepted before a time has not ended. */
  async hasLive(brokerIds: readonly string[], before: Date): Promise<boolean> {
    const [found] = await this.database.run<{ hasLive: boolean }>(HAS_LIVE, [brokerIds, before]);
    return found?.hasLive === true;
  }

  /** Commands that are out and that nobody minds; at most 1,000. */
  async stranded(brokerIds: readonly string[], before: Date): Promise<{ id: string; state: string }[]> {
    return this.database.run(FIND_STRANDED, [brokerIds, before]);
  }
}
