import { Injectable } from '@nestjs/common';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import { sought } from '../database/sought.js';
import { statement, type Statement } from '../database/statement.js';
import type { Part } from '../http/page.js';
import { Seats } from '../lifecycle/seats.js';
import { ListsBusy } from './dispatch.errors.js';
import { FIRST_ID, LAST_ID, newestWith, pageOf } from './list.columns.js';
import type { ReadRecord } from './record.js';
import { NOT_ENDED, RECORD_COLUMNS } from './record.columns.js';
import { EXCEPTIONS, LIVE_STATES, type DispatchState } from './state.js';

const ARGS = `case when $8::boolean then dispatch.args else '{}'::jsonb end as args`;
const LIVE = LIVE_STATES.map((state) => `'${state}'`).join(', ');

/** What may be asked of the rows of a list, by their columns. */
const FILTERS = {
  broker_id: '($2::uuid is null or dispatch.broker_id = $2)',
  agent_id: '($3::uuid is null or dispatch.agent_id = $3)',
  state: '($4::text is null or dispatch.state = $4)',
  op: '($6::text is null or dispatch.op = $6)',
  project_id: isSeen('dispatch.project_id', '$7'),
} as const;
type Filtered = keyof typeof FILTERS;

/** All but what is said in another way: said twice, the server could go by another index again. */
const filtersBut = (column?: Filtered): string =>
  Object.entries(FILTERS)
    .filter(([filtered]) => filtered !== column)
    .map(([, filter]) => filter)
    .join('\n          and ');

const IS_NEAR = `coalesce((select is_near from edge), false)`;
const BACK_TO_EDGE = `dispatch.id < $1::uuid and dispatch.id >= coalesce((select id from edge), '${FIRST_ID}'::uuid)
          order by dispatch.id desc`;

/** The newest live ones of some. With an offset these are found in no other way than by what is said of them. */
const liveOf = (some: string): string => `(
        select ${RECORD_COLUMNS}, ${ARGS}, ${NOT_ENDED}
        from (
          select * from broker_dispatch dispatch
          where ${some}
          offset 0
        ) dispatch
        where dispatch.id < $1::uuid and ($4::text is null or $4 in (${LIVE}))
          and ${filtersBut()}
        order by dispatch.id desc
        limit $5
      )`;

/** So many commands are walked in some milliseconds, dead or alive. */
const NEAR = 10_000;

/**
 * A list over both tables in one statement, so that a row that moves between them is never missed. A state is one of either: the
 * other table is not looked at.
 *
 * What has ended leaves dead entries in the indexes of the live, which stay for as long as the oldest transaction. So live rows are
 * looked for by their ids no further back than ended ones fill the page. Where that is far, since few of all that ended are listed,
 * they are looked for among the live ones of the same broker or projects instead, which have an index: each way walks
 * little where the other walks much. How far it is tells the order in which commands were stored: from the last of all on the first
 * page, and on those that follow from the newest that it has.
 *
 * @param ended the newest of the history
 * @param led condition on `dispatch` that holds for all that is listed, and that an index of the live rows leads to
 */
const listWith = (ended: string, led?: string): string => {
  const ways =
    led === undefined ? [BACK_TO_EDGE] : [`${IS_NEAR} and ${BACK_TO_EDGE}`, `not ${IS_NEAR} and ${led}`];
  return pageOf(
    `
      with ended as materialized (${ended}
      ),
      edge as materialized (
        select last.id,
               case when $1::uuid < '${LAST_ID}' then newest.seq else given.last_value end - last.seq < ${NEAR} as is_near
        from (select id, seq from ended order by id desc offset $5 - 1) last
        cross join (select max(seq) as seq from ended) newest
        cross join broker_dispatch_seq_seq given
      )
      ${ways.map(liveOf).join('\n      union all\n      ')}
      union all
      select * from ended
      order by id desc
      limit $5`,
    ['args', 'result'],
  );
};

const CAN_HAVE_ENDED = `($4::text is null or $4 not in (${LIVE}))`;
const COLUMNS = `${RECORD_COLUMNS}, ${ARGS}, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error`;

const LIST = statement(
  'list_dispatches',
  listWith(
    `
        select ${COLUMNS}
        from broker_dispatch_history dispatch
        where dispatch.id < $1::uuid and ${CAN_HAVE_ENDED}
          and ${filtersBut()}
        order by dispatch.id desc
        limit $5`,
  ),
);

const LIST_OF_EXCEPTIONS = statement(
  'list_dispatches_that_are_exceptions',
  listWith(newestWith('state', '$4::text', COLUMNS, filtersBut('state'))),
);

const LIST_OF_AGENT = statement(
  'list_dispatches_of_agent',
  listWith(newestWith('agent_id', '$3::uuid', COLUMNS, `${CAN_HAVE_ENDED} and ${filtersBut('agent_id')}`)),
);

const LIST_OF_BROKER = statement(
  'list_dispatches_of_broker',
  listWith(
    newestWith('broker_id', '$2::uuid', COLUMNS, `${CAN_HAVE_ENDED} and ${filtersBut('broker_id')}`),
    'dispatch.broker_id = $2::uuid',
  ),
);

// The newest of each, and of these the newest.
const LIST_OF_PROJECTS = statement(
  'list_dispatches_of_projects',
  listWith(
    `
        select latest.*
        from unnest($7::uuid[]) as seen (project_id)
        cross join lateral (${newestWith(
          'project_id',
          'seen.project_id',
          COLUMNS,
          `${CAN_HAVE_ENDED} and ${filtersBut('project_id')}`,
        )}
        ) latest
        order by latest.id desc
        limit $5`,
    'dispatch.project_id = any ($7::uuid[])',
  ),
);

// What another command does again, or did, is left out, however long ago that was asked. With an offset it is looked up for
// each row, by the index of those that name one; otherwise the server may join, and read all commands for it.
const LIST_NOT_REDRIVEN = statement(
  'list_ended_not_redriven',
  pageOf(
    newestWith(
      'state',
      '$3::text',
      `${RECORD_COLUMNS}, dispatch.args, dispatch.ended_at as "endedAt", null::jsonb as result, dispatch.error`,
      `($2::uuid is null or dispatch.broker_id = $2)
          and ($4::text is null or dispatch.op = $4)
          and ${isSeen('dispatch.project_id', '$6')}
          and not exists (
            select from broker_dispatch again where ${sought('again.redrive_of', 'dispatch.id')} offset 0
          )
          and not exists (
            select from broker_dispatch_history again where ${sought('again.redrive_of', 'dispatch.id')} offset 0
          )`,
    ),
    ['args'],
  ),
);

export type DispatchFilter = {
  /** Only dispatches older than this one. */
  before: string | null;
  brokerId: string | null;
  agentId: string | null;
  state: DispatchState | null;
  op: string | null;
  projectId?: string | null;
  limit: number;
  /** Of these projects alone; null for all, and those of none. */
  sees: Scope['sees'];
  /** With their arguments; otherwise these are empty. */
  withArgs?: boolean;
};

export type EndedFilter = Pick<DispatchFilter, 'before' | 'brokerId' | 'op' | 'limit' | 'sees'> & {
  state: (typeof EXCEPTIONS)[number];
};

/** Of a replica at a time: they share its few connections with the statements that commands wait for. */
const AT_A_TIME = 2;
/** Two that take all the time that a statement may hold up the others: these are told to come again, while their callers still listen. */
const WAITING_MOST = 64;
const PATIENCE_MS = 5_000;

/** SQL of lists of dispatches. */
@Injectable()
export class ListRepository {
  private readonly seats = new Seats({
    most: AT_A_TIME,
    waitingMost: WAITING_MOST,
    patienceMs: PATIENCE_MS,
    refusal: () => new ListsBusy(),
  });

  constructor(private readonly database: Database) {}

  /** Newest first. @throws ListsBusy */
  async list(filter: DispatchFilter): Promise<Part<ReadRecord>> {
    const { before, brokerId, agentId, state, op, projectId = null, limit, sees, withArgs = false } = filter;
    const projects = projectId === null ? sees : [projectId].filter((id) => sees?.includes(id) ?? true);
    const values = [before ?? LAST_ID, brokerId, agentId, state, limit, op, projects, withArgs];
    return this.page(listFor(filter, projects), values);
  }

  /** Ended commands that no other one does again, newest first. @throws ListsBusy */
  async listNotRedriven(filter: EndedFilter): Promise<Part<ReadRecord>> {
    const { state, before, brokerId, op, limit, sees } = filter;
    return this.page(LIST_NOT_REDRIVEN, [before ?? LAST_ID, brokerId, state, op, limit, sees]);
  }

  private async page(statement: Statement, values: readonly unknown[]): Promise<Part<ReadRecord>> {
    const rows = await this.seats.take(() =>
      this.database.runPlanned<ReadRecord & { isFollowed: boolean }>(statement, values),
    );
    return { rows, isCut: rows.at(-1)?.isFollowed ?? false };
  }
}

/** By what narrows it most, as far as the history has an index of that. */
function listFor({ state, agentId, brokerId }: DispatchFilter, projects: Scope['sees']): Statement {
  if (state !== null && (EXCEPTIONS as readonly string[]).includes(state)) return LIST_OF_EXCEPTIONS;
  if (agentId !== null) return LIST_OF_AGENT;
  if (brokerId !== null) return LIST_OF_BROKER;
  return projects === null ? LIST : LIST_OF_PROJECTS;
}
