import { Injectable } from '@nestjs/common';
import type { AgentReport, ReportedPhase } from '../../protocol/frame.js';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database, type Run } from '../database/database.js';
import { violatedUnique } from '../database/database.errors.js';
import { statement } from '../database/statement.js';
import { AgentNameTaken } from './agents.errors.js';
import type { RunOf } from './drift.js';
import { IS_GIVEN_UP } from './given-up.columns.js';
import { isOnItsWay, phasesBefore, type Phase, type Wanted } from './phase.js';
import type { RUNTIMES } from './runtime.js';
import type { StoredSpec } from './sealed-specs.js';
import type { Owner } from './stray.repository.js';
import type { Former } from './undo.js';
import { WITHOUT_ENVIRONMENT } from './without-environment.columns.js';

export type AgentRow = {
  id: string;
  name: string;
  projectId: string | null;
  projectName: string | null;
  brokerId: string;
  brokerName: string | null;
  runtime: (typeof RUNTIMES)[number];
  spec: StoredSpec;
  wanted: Wanted;
  phase: Phase;
  runId: string | null;
  dispatchId: string | null;
  exitCode: number | null;
  detail: string | null;
  restarts: number;
  revision: number;
  createdAt: Date;
  updatedAt: Date;
};

/** Where a run stands: whether it is the agent's and has not ended, and whether its broker is attached to the agent's project. */
export type Standing = { projectId: string | null; goesOn: boolean; isAttached: boolean };

/** null for those of any. */
export type AgentFilter = { brokerId: string | null; projectId: string | null };

const COLUMNS = `
  select agent.id, agent.name, agent.project_id as "projectId", project.name as "projectName", agent.broker_id as "brokerId", broker.name as "brokerName", agent.runtime, agent.spec,
         agent.wanted, agent.phase, agent.run_id as "runId", agent.dispatch_id as "dispatchId",
         agent.exit_code as "exitCode", agent.detail, agent.restarts, agent.revision,
         agent.created_at as "createdAt", agent.updated_at as "updatedAt"
  from agent
  left join broker on broker.id = agent.broker_id
  left join project on project.id = agent.project_id
`;

const CREATE = statement(
  'create_agent',
  `
  insert into agent (id, name, broker_id, runtime, spec, wanted, phase, project_id)
  values ($1, $2, $3, 'process', $4::jsonb, 'stopped', 'created', $5)
  `,
);

const GET = statement('get_agent', `${COLUMNS}  where agent.id = $1`);

const LOCK = statement('lock_agent', `${COLUMNS}  where agent.id = $1 for update of agent`);

const ID_OF_NAME = statement(
  'find_agent_by_name',
  `select id from agent where name = $1 and phase <> 'deleted'`,
);

const SEE = statement(
  'see_agent',
  `select id, project_id as "projectId" from agent where id = $1 and ${isSeen('project_id', '$2')}`,
);

const SEE_NAMED = statement(
  'see_agent_by_name',
  `
  select id, project_id as "projectId"
  from agent
  where name = $1 and phase <> 'deleted' and ${isSeen('project_id', '$2')}
  `,
);

const LIST = statement(
  'list_agents',
  `${COLUMNS}  where ($1::uuid is null or agent.id < $1)
    and ($2::uuid is null or agent.broker_id = $2)
    and ($4::uuid is null or agent.project_id = $4)
    and ${isSeen('agent.project_id', '$5')}
    and agent.phase <> 'deleted'
  order by agent.id desc
  limit $3`,
);

const STEP = statement(
  'step_agent',
  `
  update agent
  set phase = $2, wanted = $3, run_id = $4, dispatch_id = $5, undo = $6::jsonb,
      exit_code = case when run_id is not distinct from $4::uuid then exit_code end,
      detail = case when run_id is not distinct from $4::uuid then detail end,
      restarts = case when run_id is not distinct from $4::uuid then restarts else 0 end,
      revision = revision + 1, updated_at = now()
  where id = $1
  `,
);

// Fenced by broker and run, by the phases that the report may follow, and within a phase by the count of restarts: a
// report that comes late or again changes nothing.
const REPORT = statement(
  'take_agent_reports',
  `
  with said as (
    select *
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[], $7::integer[], $8::text[])
      as said (agent_id, broker_id, run_id, phase, exit_code, detail, restarts, allowed)
  ),
  locked as (
    select agent.id, said.phase, said.exit_code, said.detail, said.restarts
    from said
    join agent on agent.id = said.agent_id and agent.broker_id = said.broker_id and agent.run_id = said.run_id
    where agent.phase = any (string_to_array(said.allowed, ','))
       or (agent.phase = said.phase and agent.phase = 'running' and agent.restarts < said.restarts)
    order by agent.id
    for update of agent
  )
  update agent
  set phase = locked.phase, exit_code = locked.exit_code, detail = locked.detail,
      restarts = greatest(agent.restarts, locked.restarts),
      revision = revision + 1, updated_at = now()
  from locked
  where agent.id = locked.id
  returning agent.id, agent.broker_id as "brokerId"
  `,
);

// An agent waits in these phases for the end of its latest command. The end is read from the history, so it does not
// matter who settled it, or whether anybody was told. What a broker gave as its result may be anything: an exit code that no
// report could have is none, and holds up no other agent of the statement.
// A command that was never sent has changed nothing: one that was cancelled is undone, and so is a restart, whose agent
// goes on with the run that it had. A delete stands: what is left of it at its broker is ended when that returns.
const CATCH_UP = statement(
  'catch_up_agents_with_endings',
  `
  with due as (
    select agent.id, agent.phase as was, ended.state, ended.result, ended.error,
           ended.attempt = 0 and ended.state = 'expired' as is_unheard,
           case
             when agent.undo -> 0 ->> 'command' = ended.id::text and ${IS_GIVEN_UP} then agent.undo -> 0
           end as undo
    from agent
    join broker_dispatch_history ended on ended.id = agent.dispatch_id
    where agent.phase in ('starting', 'stopping', 'deleting')
    order by agent.id
    limit $1
    for update of agent skip locked
  ),
  moved as (
    select due.*,
           case
             when due.undo is not null then due.undo ->> 'phase'
             when due.was = 'starting' then case when due.state = 'succeeded' then 'running' else 'failed' end
             when due.was = 'stopping' then case when due.state = 'succeeded' then 'stopped' else 'running' end
             else case when due.state = 'succeeded' or due.is_unheard then 'deleted' else 'failed' end
           end as phase
    from due
  )
  update agent
  set phase = moved.phase,
      spec = case when moved.phase = 'deleted' then ${WITHOUT_ENVIRONMENT} else agent.spec end,
      wanted = coalesce(moved.undo ->> 'wanted', agent.wanted),
      run_id = case when moved.undo is null then agent.run_id else (moved.undo ->> 'runId')::uuid end,
      dispatch_id = case when moved.undo is null then agent.dispatch_id else (moved.undo ->> 'dispatchId')::uuid end,
      exit_code = case
        when moved.undo is not null then (moved.undo ->> 'exitCode')::bigint
        when moved.was = 'stopping' and moved.state = 'succeeded' then jsonb_path_query_first(
          moved.result,
          'strict $.exitCode ? (@ >= -1 && @ <= 4294967295 && @ == @.floor())',
          silent => true
        )::bigint
        else agent.exit_code
      end,
      detail = case
        when moved.undo is null then coalesce(moved.error ->> 'message', agent.detail)
        else moved.undo ->> 'detail'
      end,
      restarts = coalesce((moved.undo ->> 'restarts')::integer, agent.restarts),
      undo = case when moved.undo is not null then nullif(agent.undo - 0, '[]') end,
      revision = revision + 1, updated_at = now()
  from moved
  where agent.id = moved.id
  returning agent.phase
  `,
);

// Fenced by the connection's row, which is held until it is written, and by the run: what an old link did not tell of says
// nothing. Whatever has been commanded meanwhile decides instead.
const LOSE = statement(
  'end_lost_run',
  `
  with held as materialized (
    select connection.broker_id
    from broker_connection connection
    where connection.broker_id = $1 and connection.replica_id = $2 and connection.epoch = $3
    for share
  ),
  lost as (
    select agent.id,
           agent.phase = 'running' and agent.wanted = 'running'
             and coalesce(agent.spec -> 'restart' ->> 'policy', 'never') <> 'never'
             and agent.updated_at < now() - make_interval(secs => $6) as again
    from held
    join agent on agent.broker_id = held.broker_id
    where agent.id = $4 and agent.run_id = $5 and agent.phase = any (string_to_array($7, ','))
      and not exists (select from broker_dispatch live where live.id = agent.dispatch_id offset 0)
    for update of agent
  )
  update agent
  set phase = 'failed', exit_code = null, detail = $8, revision = revision + 1, updated_at = now()
  from lost
  where agent.id = lost.id
  returning lost.again as "mayStartAgain"
  `,
);

const DELETE = statement(
  'delete_agent_of_revoked_broker',
  `
  update agent
  set phase = 'deleted', wanted = 'deleted', spec = ${WITHOUT_ENVIRONMENT}, revision = revision + 1, updated_at = now()
  where id = $1
  `,
);

// An agent that was told to stop and could not is told again after a while.
const ON_DRAINING = statement(
  'find_agents_of_draining_brokers',
  `
  select broker.id as "brokerId", broker.revision, count(agent.id)::integer as live,
         coalesce(array_agg(agent.id order by agent.id) filter (
           where agent.phase in ('starting', 'running')
             and (agent.wanted = 'running' or agent.updated_at < now() - interval '30 seconds')
         ), '{}') as due
  from broker
  left join agent on agent.broker_id = broker.id
    and agent.phase in ('starting', 'running', 'stopping', 'deleting')
  where broker.draining_at is not null and broker.drained_at is null and broker.revoked_at is null
  group by broker.id
  `,
);

// A broker that was revoked, or detached from the project, has no say in it any more, whatever its agents do there.
const STANDING = statement(
  'find_standing_of_run',
  `
  select agent.project_id as "projectId",
         agent.run_id is not distinct from $3 and agent.phase in ('starting', 'running', 'stopping') as "goesOn",
         agent.project_id is null or exists (
           select from broker_attachment attachment
           where attachment.project_id = agent.project_id and attachment.broker_id = agent.broker_id
             and attachment.detached_at is null
         ) as "isAttached"
  from agent
  join broker on broker.id = agent.broker_id and broker.revoked_at is null
  where agent.id = $1 and agent.broker_id = $2
  `,
);

/** SQL of agents. */
@Injectable()
export class AgentRepository {
  constructor(private readonly database: Database) {}

  /** @throws AgentNameTaken */
  async create(
    run: Run,
    agent: { id: string; name: string; projectId: string | null; brokerId: string; spec: StoredSpec },
  ): Promise<void> {
    const { id, name, projectId, brokerId, spec } = agent;
    try {
      await run(CREATE, [id, name, brokerId, JSON.stringify(spec), projectId]);
    } catch (error) {
      if (violatedUnique(error) === 'agent_name_is_unique') throw new AgentNameTaken();
      throw error;
    }
  }

  async get(id: string): Promise<AgentRow | undefined> {
    return (await this.database.run<AgentRow>(GET, [id]))[0];
  }

  /** Holds the agent until the end of the transaction. */
  async lock(run: Run, id: string): Promise<AgentRow | undefined> {
    return (await run<AgentRow>(LOCK, [id]))[0];
  }

  /** An agent, if its project is among those that are seen. */
  async see(
    idOrName: { id: string } | { name: string },
    sees: Scope['sees'],
  ): Promise<{ id: string; projectId: string | null } | undefined> {
    const [by, value] = 'id' in idOrName ? [SEE, idOrName.id] : [SEE_NAMED, idOrName.name];
    return (await this.database.run<{ id: string; projectId: string | null }>(by, [value, sees]))[0];
  }

  async idOfName(name: string): Promise<string | undefined> {
    return (await this.database.run<{ id: string }>(ID_OF_NAME, [name]))[0]?.id;
  }

  /** Newest first, those made before the given one. */
  async list(
    before: string | null,
    { brokerId, projectId }: AgentFilter,
    limit: number,
    sees: Scope['sees'],
  ): Promise<AgentRow[]> {
    return this.database.runPlanned(LIST, [before, brokerId, limit, projectId, sees]);
  }

  /** Of each broker that drains: how many agents live there, and which of them are to be told to stop now. */
  async onDraining(): Promise<{ brokerId: string; revision: number; live: number; due: string[] }[]> {
    return this.database.run(ON_DRAINING);
  }

  /** Notes the command that was given for an agent, what it is on its way to, and what it goes back to if that is never sent. */
  async step(
    run: Run,
    id: string,
    to: { phase: Phase; wanted: Wanted; runId: string | null; dispatchId: string },
    undo: readonly Former[],
  ): Promise<void> {
    await run(STEP, [id, to.phase, to.wanted, to.runId, to.dispatchId, JSON.stringify(undo)]);
  }

  /** Without a command: there is nobody who could be given one. */
  async delete(run: Run, id: string): Promise<void> {
    await run(DELETE, [id]);
  }

  /** @returns the agents that are not as they were */
  async takeReports(
    reports: readonly (AgentReport & { brokerId: string })[],
  ): Promise<{ id: string; brokerId: string }[]> {
    const column = <T>(pick: (report: AgentReport & { brokerId: string }) => T) => reports.map(pick);
    const allowed = (phase: ReportedPhase) => phasesBefore(phase).join(',');
    return this.database.run(REPORT, [
      column(({ agentId }) => agentId),
      column(({ brokerId }) => brokerId),
      column(({ runId }) => runId),
      column(({ phase }) => phase),
      column(({ exitCode }) => exitCode),
      column(({ detail }) => detail),
      column(({ restarts }) => restarts),
      column(({ phase }) => allowed(phase)),
    ]);
  }

  /**
   * Ends a run that its broker does not know any more, unless that broker is another replica's by now, or the agent has
   * gone on.
   *
   * @param ranS seconds for which it must have been running to be started again
   * @returns whether it ended by this, and whether its own policy wants it started again
   */
  async lose(
    run: Run,
    owner: Owner,
    { agentId, runId }: RunOf,
    { ranS, detail }: { ranS: number; detail: string },
  ): Promise<{ isLost: boolean; mayStartAgain: boolean }> {
    const { brokerId, replicaId, epoch } = owner;
    const allowed = phasesBefore('failed').join(',');
    const values = [brokerId, replicaId, epoch, agentId, runId, ranS, allowed, detail];
    const [lost] = await run<{ mayStartAgain: boolean }>(LOSE, values);
    return { isLost: lost !== undefined, mayStartAgain: lost?.mayStartAgain === true };
  }

  /** @returns undefined where the agent is not on this broker, or the broker was revoked */
  async standingOf({ agentId, runId }: RunOf, brokerId: string): Promise<Standing | undefined> {
    return (await this.database.run<Standing>(STANDING, [agentId, brokerId, runId]))[0];
  }

  /**
   * Moves agents whose latest command has ended, at most so many.
   *
   * @returns how many were moved, and how many of them are back at an earlier command, which may have ended as well
   */
  async catchUp(most: number): Promise<{ moved: number; undone: number }> {
    const phases = await this.database.run<{ phase: Phase }>(CATCH_UP, [most]);
    return { moved: phases.length, undone: phases.filter(({ phase }) => isOnItsWay(phase)).length };
  }
}
