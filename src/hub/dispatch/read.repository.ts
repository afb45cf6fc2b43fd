import { Injectable } from '@nestjs/common';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import type { ReadRecord, TrailStep } from './record.js';
import { NOT_ENDED, RECORD_COLUMNS } from './record.columns.js';
import type { LiveState } from './state.js';
import { spanOf } from './id-span.js';
import { readable } from './trail-step.js';

// One statement over both tables, so that a row that moves between them is never missed.
const FIND = statement(
  'find_dispatches',
  `
  select ${RECORD_COLUMNS}, broker.name as "brokerName", dispatch.args, ${NOT_ENDED}
  from broker_dispatch dispatch
  left join broker on ${sought('broker.id', 'dispatch.broker_id')}
  where dispatch.id = any ($1::uuid[])
  union all
  select ${RECORD_COLUMNS}, broker.name, dispatch.args, dispatch.ended_at, dispatch.result, dispatch.error
  from broker_dispatch_history dispatch
  left join broker on ${sought('broker.id', 'dispatch.broker_id')}
  where dispatch.id = any ($1::uuid[]) and dispatch.id between $2 and $3
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

/** SQL that looks dispatches up, wherever they stand. */
@Injectable()
export class ReadRepository {
  constructor(private readonly database: Database) {}

  async find(ids: readonly string[]): Promise<ReadRecord[]> {
    return this.database.run(FIND, [ids, ...spanOf(ids)]);
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
