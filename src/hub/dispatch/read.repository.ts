import { Injectable } from '@nestjs/common';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import type { DispatchRecord, TrailStep } from './record.js';
import type { LiveState } from './state.js';
import { spanOf } from './id-span.js';
import { readable } from './trail-step.js';

const LIVE_COLUMNS = `
    dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
    dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.args, dispatch.lane,
    dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
    dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
    dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
    dispatch.redrive_of as "redriveOf",
    dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
    case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
    dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt"`;

// One statement over both tables, so that a row that moves between them is never missed.
const FIND = statement(
  'find_dispatches',
  `
  select ${LIVE_COLUMNS},
         null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
  from broker_dispatch dispatch
  left join broker on ${sought('broker.id', 'dispatch.broker_id')}
  where dispatch.id = any ($1::uuid[])
  union all
  select ${LIVE_COLUMNS}, dispatch.ended_at, dispatch.result, dispatch.error
  from broker_dispatch_history dispatch
  left join broker on ${sought('broker.id', 'dispatch.broker_id')}
  where dispatch.id = any ($1::uuid[]) and dispatch.id between $2 and $3
  `,
);

const LIST = statement(
  'list_dispatches',
  `
  select listed.* from (
    select ${LIVE_COLUMNS},
           null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
    from broker_dispatch dispatch
    left join broker on broker.id = dispatch.broker_id
    where ($1::uuid is null or dispatch.id < $1)
      and ($2::uuid is null or dispatch.broker_id = $2)
      and ($3::uuid is null or dispatch.agent_id = $3)
      and ($4::text is null or dispatch.state = $4)
      and ($6::text is null or dispatch.op = $6)
      and ($7::uuid is null or dispatch.project_id = $7)
      and ${isSeen('dispatch.project_id', '$8')}
    union all
    (
      select ${LIVE_COLUMNS}, dispatch.ended_at, dispatch.result, dispatch.error
      from broker_dispatch_history dispatch
      left join broker on broker.id = dispatch.broker_id
      where ($1::uuid is null or dispatch.id < $1)
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid is null or dispatch.project_id = $7)
        and ${isSeen('dispatch.project_id', '$8')}
      order by dispatch.id desc
      limit $5
    )
  ) listed
  order by listed.id desc
  limit $5
  `,
);

// What another command does again, or did, is left out, however long ago that was asked. With an offset it is looked up for
// each row, by the index of those that name one; otherwise the server may join, and read all commands for it.
const LIST_NOT_REDRIVEN = statement(
  'list_ended_not_redriven',
  `
  select ${LIVE_COLUMNS}, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error,
         null::bigint as position, null::boolean as connected
  from broker_dispatch_history dispatch
  left join broker on broker.id = dispatch.broker_id
  where dispatch.state = $1
    and ($2::uuid is null or dispatch.id < $2)
    and ($3::uuid is null or dispatch.broker_id = $3)
    and ($4::text is null or dispatch.op = $4)
    and ${isSeen('dispatch.project_id', '$6')}
    and not exists (
      select from broker_dispatch again where ${sought('again.redrive_of', 'dispatch.id')} offset 0
    )
    and not exists (
      select from broker_dispatch_history again where ${sought('again.redrive_of', 'dispatch.id')} offset 0
    )
  order by dispatch.id desc
  limit $5
  `,
);

const SEE = statement(
  'see_dispatch',
  `
  select project_id as "projectId" from broker_dispatch where id = $1 and ${isSeen('project_id', '$2')}
  union all
  select project_id from broker_dispatch_history where id = $1 and ${isSeen('project_id', '$2')}
  `,
);

const TRAIL = statement(
  'read_trail',
  `
  select ${readable('trail')} as trail from broker_dispatch where id = $1
  union all
  select ${readable('trail')} from broker_dispatch_history where id = $1
  `,
);

const ENDED = statement(
  'find_ended',
  `select id from broker_dispatch_history where id = any ($1::uuid[]) and id between $2 and $3`,
);

const DEPTHS = statement(
  'count_live_dispatches',
  `
  select dispatch.state, count(*) as count,
         coalesce(extract(epoch from now() - min(dispatch.created_at)), 0)::double precision as "oldestS",
         count(*) filter (
           where connection.replica_id is not null
             and greatest(dispatch.created_at, dispatch.not_before, dispatch.retry_at, dispatch.claimed_at)
                 < now() - interval '5 minutes'
         ) as stuck
  from broker_dispatch dispatch
  left join broker_connection connection on connection.broker_id = dispatch.broker_id
  group by dispatch.state
  `,
);

const PROJECT_DEPTHS = statement(
  'count_pending_dispatches_of_projects',
  `
  select project.name as project, depth.count, depth.oldest_s as "oldestS"
  from (
    select dispatch.project_id, count(*) as count,
           extract(epoch from now() - min(dispatch.created_at))::double precision as oldest_s
    from broker_dispatch dispatch
    where dispatch.project_id is not null and dispatch.state = 'pending'
    group by dispatch.project_id
    order by count(*) desc
    limit 50
  ) depth
  join project on project.id = depth.project_id
  order by depth.count desc
  `,
);

/** A dispatch as its row has it: what keeps it from going on is not in its row. */
export type ReadRecord = Omit<DispatchRecord, 'position' | 'reason'>;

/** Pending commands of one project. */
export type ProjectDepth = {
  project: string;
  count: number;
  /** Age of the oldest, in seconds. */
  oldestS: number;
};

/** Live commands of the whole hub in one state. */
export type LiveDepth = {
  state: LiveState;
  count: number;
  /** Age of the oldest, in seconds. */
  oldestS: number;
  /** How many of them are due, or out, for over 5 min though their brokers are connected. */
  stuck: number;
};

export type DispatchFilter = {
  /** Only dispatches older than this one. */
  before: string | null;
  brokerId: string | null;
  agentId: string | null;
  state: string | null;
  op: string | null;
  projectId?: string | null;
  limit: number;
  /** Of these projects alone; null for all, and those of none. */
  sees: Scope['sees'];
};

export type EndedFilter = Pick<DispatchFilter, 'before' | 'brokerId' | 'op' | 'limit' | 'sees'> & {
  state: string;
};

/** SQL that looks dispatches up, wherever they stand. */
@Injectable()
export class ReadRepository {
  constructor(private readonly database: Database) {}

  async find(ids: readonly string[]): Promise<ReadRecord[]> {
    return this.database.run(FIND, [ids, ...spanOf(ids)]);
  }

  /** Newest first. */
  async list(filter: DispatchFilter): Promise<ReadRecord[]> {
    const { before, brokerId, agentId, state, op, projectId = null, limit, sees } = filter;
    const values = [before, brokerId, agentId, state, limit, op, projectId, sees];
    return this.database.runPlanned(LIST, values);
  }

  /** Ended commands that no other one does again, newest first. */
  async listNotRedriven(filter: EndedFilter): Promise<DispatchRecord[]> {
    const { state, before, brokerId, op, limit, sees } = filter;
    return this.database.runPlanned(LIST_NOT_REDRIVEN, [state, before, brokerId, op, limit, sees]);
  }

  /** The project of a command, if it is among those that are seen. */
  async see(id: string, sees: Scope['sees']): Promise<{ projectId: string | null } | undefined> {
    return (await this.database.run<{ projectId: string | null }>(SEE, [id, sees]))[0];
  }

  async trail(id: string): Promise<TrailStep[] | undefined> {
    return (await this.database.run<{ trail: TrailStep[] }>(TRAIL, [id]))[0]?.trail;
  }

  /** Of some ids, those that have ended. */
  async ended(ids: readonly string[]): Promise<string[]> {
    return (await this.database.run<{ id: string }>(ENDED, [ids, ...spanOf(ids)])).map(({ id }) => id);
  }

  async depthsOfProjects(): Promise<ProjectDepth[]> {
    return this.database.run(PROJECT_DEPTHS);
  }

  async depths(): Promise<LiveDepth[]> {
    return this.database.run(DEPTHS);
  }
}
