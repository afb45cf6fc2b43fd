import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Inspection, Op, OpArgs, OpBody, ProcessSpec } from '../../protocol/op.js';
import { isUuid } from '../../protocol/read.js';
import { RequestKeys } from '../auth/request-keys.js';
import { requireScope, type Scope } from '../auth/scope.js';
import { Database, type Run } from '../database/database.js';
import { transactionInDoubt } from '../database/in-doubt.js';
import type { Asking } from '../dispatch/caller.js';
import { Dispatches, type Order } from '../dispatch/dispatches.js';
import type { Initiator } from '../dispatch/draft.js';
import type { DispatchRecord } from '../dispatch/record.js';
import { hasEnded } from '../dispatch/state.js';
import { NAME } from '../http/name.js';
import { CodedError } from '../problems/coded.error.js';
import type { Wait } from '../http/prefer.js';
import { Brokers } from '../registry/brokers.js';
import { Operations } from '../registry/operations.js';
import { Projects } from '../registry/projects.js';
import { AgentRepository, type AgentRow } from './agent.repository.js';
import { AgentInDoubt, AgentNotFound, BrokerSilent, OpFailed, VerbRefused } from './agents.errors.js';
import type { RunOf } from './drift.js';
import { SealedSpecs } from './sealed-specs.js';
import { stepOf, type Verb } from './phase.js';
import type { Owner } from './stray.repository.js';
import { UndoRepository } from './undo.repository.js';

/** Time a process has between SIGTERM and SIGKILL. */
export const GRACE_MS = 10_000;
const ASK_WITHIN_S = 15;

/** What the end of a lost run reads as; one that was lost sooner than this after its last change is not started again. */
const LOST = {
  ranS: 60,
  detail:
    'Its broker does not know the run any more: what it keeps of its agents is lost, or was put back to an earlier state. ' +
    'Whether the command still runs there nobody can tell; look at the machine, then start the agent again.',
};

type Command = { [O in Op]: { op: O; args: OpArgs[O] } }[Op];

/** Agents, and what is done to them. Each verb is one dispatch, stored together with what it changes here. */
@Injectable()
export class Agents {
  constructor(
    private readonly database: Database,
    private readonly repository: AgentRepository,
    private readonly undos: UndoRepository,
    private readonly dispatches: Dispatches,
    private readonly requestKeys: RequestKeys,
    private readonly brokers: Brokers,
    private readonly projects: Projects,
    private readonly operations: Operations,
    private readonly specs: SealedSpecs,
  ) {}

  /**
   * Puts a new agent on record; nothing is started. A repeat of the request gives the agent of the first.
   *
   * @throws NotFound for the broker or the project, BrokerCordoned, BrokerDraining, ProjectArchived, BrokerNotAttached,
   *   AttachmentRevoked, AgentNameTaken, IdempotencyKeyReused. AgentInDoubt: it may have been put on record
   */
  async create(
    agent: { name: string; project?: string | undefined; broker: string; spec: ProcessSpec },
    { idempotency }: Asking,
    scope: Scope,
  ): Promise<AgentRow> {
    const id = uuidv7();
    const { id: brokerId } = await this.brokers.get(await this.brokers.within(scope, agent.broker));
    if (agent.project === undefined) requireScope(scope, null);
    else await this.projects.within(scope, agent.project);
    const spec = this.specs.seal(id, agent.spec);
    const put = async (run: Run): Promise<string> => {
      const earlier = idempotency && (await this.requestKeys.repeatOf(run, idempotency, id));
      if (earlier !== undefined) return earlier;
      await this.operations.admit(run, brokerId, 'create');
      const projectId =
        agent.project === undefined ? null : await this.projects.admit(run, agent.project, brokerId);
      await this.repository.create(run, { ...agent, id, projectId, brokerId, spec });
      return id;
    };
    const isThere = async (agentId: string) => (await this.repository.get(agentId)) !== undefined;
    const known = await transactionInDoubt(
      this.database,
      put,
      isThere,
      (agentId, cause) => new AgentInDoubt(agentId, 'put on record', cause),
    );
    return this.get(known);
  }

  /**
   * Starts, stops, restarts or deletes: stores the command and the agent's new phase together, then waits for the
   * end of the command, at most for as long as `wait` says.
   *
   * @throws AgentNotFound, VerbRefused, EnvironmentUnopened, BrokerDraining, IdempotencyKeyReused, and as Submission.submit. OutcomeUnknown: it may
   *   have been stored, with the agent's phase
   */
  async act(verb: Verb, idOrName: string, asking: Asking, wait: Wait, scope: Scope): Promise<DispatchRecord> {
    let agentId: string;
    try {
      agentId = await this.within(scope, idOrName);
    } catch (error) {
      if (!(error instanceof AgentNotFound)) throw error;
      return this.earlier(error, asking, wait, scope);
    }
    let committed: (() => void) | undefined;
    const dispatchId = await this.dispatches.transaction(async (run) => {
      const agent = await this.repository.lock(run, agentId);
      if (agent === undefined) throw new AgentNotFound();
      const { id, earlier } = await this.reserve(run, asking);
      if (earlier !== undefined) return earlier;
      committed = await this.take(run, verb, agent, { ...placeOf(agent), id, initiator: asking.initiator });
      return id;
    });
    committed?.();
    return this.dispatches.waitForAccepted(dispatchId, wait);
  }

  /**
   * Deletes as `act` does. No command ever arrives at a broker that was revoked: an agent that is there is deleted at once.
   *
   * @returns null where no command was given
   * @throws as act. AgentInDoubt: it may have been deleted
   */
  async delete(idOrName: string, asking: Asking, wait: Wait, scope: Scope): Promise<DispatchRecord | null> {
    try {
      const { id, brokerId } = await this.get(await this.within(scope, idOrName));
      const { revokedAt } = await this.brokers.get(brokerId);
      if (revokedAt === null) return await this.act('delete', id, asking, wait, scope);
      const subjectId = await this.deleteUntold(id, asking);
      return subjectId === id ? null : await this.dispatches.waitForAccepted(subjectId, wait);
    } catch (error) {
      if (!(error instanceof AgentNotFound)) throw error;
      if (await this.wasDeletedUntold(asking, scope)) return null;
      return this.earlier(error, asking, wait, scope);
    }
  }

  /**
   * What the same request led to before, of one whose agent is not to be found by now: it may have been deleted since, by this
   * very request, and its name with it.
   *
   * @throws `error` where it did not come before; IdempotencyKeyReused; DispatchNotFound, Forbidden where the caller has no part in
   *   the project any more
   */
  async earlier(error: Error, { idempotency }: Asking, wait: Wait, scope: Scope): Promise<DispatchRecord> {
    const id = idempotency && (await this.requestKeys.winnerOf(idempotency));
    if (id === undefined) throw error;
    await this.dispatches.within(scope, id);
    return this.dispatches.waitForAccepted(id, wait);
  }

  /**
   * Tells an agent to stop because its broker is drained, unless it is told so already, or does not run any more. The
   * command is of no project, whose rules might refuse it.
   */
  async evacuate(agentId: string, initiator: Initiator): Promise<void> {
    let committed: (() => void) | undefined;
    await this.database.transaction(async (run) => {
      const agent = await this.repository.lock(run, agentId);
      if (agent === undefined || (agent.phase !== 'starting' && agent.phase !== 'running')) return;
      const { brokerId } = agent;
      committed = await this.take(run, 'stop', agent, { agentId, brokerId, id: uuidv7(), initiator });
    });
    committed?.();
  }

  /**
   * Ends a run that its broker does not know any more, and starts the agent again where its own policy says so and nothing
   * stands against it.
   *
   * @returns what came of it; nothing where the agent has gone on, or the broker is not this replica's
   */
  async lose(
    owner: Owner,
    lost: RunOf,
    initiator: Initiator,
  ): Promise<'nothing' | 'failed' | 'started_again'> {
    let committed: (() => void) | undefined;
    const outcome = await this.database.transaction(async (run) => {
      committed = undefined;
      const { isLost, mayStartAgain } = await this.repository.lose(run, owner, lost, LOST);
      if (!isLost) return 'nothing';
      const agent = mayStartAgain ? await this.repository.lock(run, lost.agentId) : undefined;
      if (agent === undefined) return 'failed';
      try {
        committed = await this.take(run, 'start', agent, { ...placeOf(agent), id: uuidv7(), initiator });
        return 'started_again';
      } catch (error) {
        // Refused, as anybody's start would be now: the reason that it failed stands.
        if (error instanceof CodedError) return 'failed';
        throw error;
      }
    });
    committed?.();
    return outcome;
  }

  /**
   * The last lines of an agent's output, asked of its broker.
   *
   * @throws AgentNotFound, OpFailed, BrokerSilent
   */
  async logs(idOrName: string, lines: number, asking: Asking): Promise<OpBody['agent.logs']> {
    return this.ask(await this.get(idOrName), 'agent.logs', { lines }, asking);
  }

  /**
   * How an agent's latest run is, asked of its broker.
   *
   * @throws AgentNotFound, OpFailed, BrokerSilent
   */
  async inspect(idOrName: string, asking: Asking): Promise<Inspection> {
    return this.ask(await this.get(idOrName), 'agent.inspect', {}, asking);
  }

  /** @throws AgentNotFound */
  async get(idOrName: string): Promise<AgentRow> {
    const row = await this.repository.get(await this.idOf(idOrName));
    if (row === undefined) throw new AgentNotFound();
    return row;
  }

  /**
   * The id of an agent with which a request may do what it asks for. An agent never changes its project.
   *
   * @throws AgentNotFound for one that it does not see; Forbidden for one of a project where it may not
   */
  async within(scope: Scope, idOrName: string): Promise<string> {
    // Who sees all is told by the statement that comes next whether it is there.
    if (scope.sees === null) return this.idOf(idOrName);
    const named = isUuid(idOrName) ? { id: idOrName } : NAME.test(idOrName) ? { name: idOrName } : undefined;
    const seen = named && (await this.repository.see(named, scope.sees));
    if (seen === undefined) throw new AgentNotFound();
    requireScope(scope, seen.projectId);
    return seen.id;
  }

  /** Newest first. */
  async list(
    before: string | null,
    { broker, project }: { broker?: string | undefined; project?: string | undefined },
    limit: number,
    scope: Scope,
  ): Promise<AgentRow[]> {
    const brokerId = broker === undefined ? null : await this.brokers.within(scope, broker);
    const projectId = project === undefined ? null : await this.projects.within(scope, project);
    return this.repository.list(before, { brokerId, projectId }, limit, scope.sees);
  }

  /** @returns the agent's id, or that of the command which the same request led to before the broker was revoked */
  private async deleteUntold(agentId: string, { idempotency }: Asking): Promise<string> {
    const put = async (run: Run): Promise<string> => {
      const agent = await this.repository.lock(run, agentId);
      if (agent === undefined) throw new AgentNotFound();
      const earlier = idempotency && (await this.requestKeys.repeatOf(run, idempotency, agentId));
      if (earlier !== undefined) return earlier;
      const step = stepOf('delete', agent.phase, agent.runId !== null);
      if (typeof step === 'string') throw new VerbRefused(step, agent);
      await this.repository.delete(run, agentId);
      return agentId;
    };
    const isThere = async () => (await this.repository.get(agentId))?.phase === 'deleted';
    return transactionInDoubt(
      this.database,
      put,
      isThere,
      (_subjectId, cause) => new AgentInDoubt(agentId, 'deleted', cause),
    );
  }

  private async wasDeletedUntold({ idempotency }: Asking, scope: Scope): Promise<boolean> {
    const id = idempotency && (await this.requestKeys.winnerOf(idempotency));
    const agent = id && (await this.repository.see({ id }, scope.sees));
    if (!agent) return false;
    requireScope(scope, agent.projectId);
    return true;
  }

  /** Stores the command for a verb and what it makes of the agent. @returns what to call after the commit */
  private async take(
    run: Run,
    verb: Verb,
    agent: AgentRow,
    command: Pick<Order, 'projectId' | 'brokerId' | 'initiator'> & { agentId: string; id: string },
  ): Promise<() => void> {
    const step = stepOf(verb, agent.phase, agent.runId !== null);
    if (typeof step === 'string') throw new VerbRefused(step, agent);
    if (step.newRun) await this.operations.admit(run, agent.brokerId, 'start');
    const newRunId = uuidv7();
    const { op, args } = commandOf(verb, agent, newRunId, () => this.specs.open(agent.id, agent.spec));
    const endsRun = verb === 'stop' || verb === 'delete';
    const committed = await this.dispatches.submitWithin(run, { ...command, endsRun, op, args });
    const { phase, wanted, newRun } = step;
    const runId = newRun ? newRunId : agent.runId;
    const undo = await this.undos.of(run, agent.id, command.id);
    await this.repository.step(run, agent.id, { phase, wanted, runId, dispatchId: command.id }, undo);
    return committed;
  }

  /** Asks for data, which waits for no other command of the agent, and is of use only now. */
  private async ask<O extends 'agent.logs' | 'agent.inspect'>(
    agent: AgentRow,
    op: O,
    args: Omit<OpArgs[O], 'agentId'>,
    { initiator }: Asking,
  ): Promise<OpBody[O]> {
    const record = await this.dispatches.submit(
      {
        ...placeOf(agent),
        op,
        args: { agentId: agent.id, ...args },
        orderingKey: null,
        deadlineS: ASK_WITHIN_S,
        initiator,
      },
      { totalS: ASK_WITHIN_S, windowS: null },
    );
    if (!hasEnded(record.state) || record.state === 'expired') throw new BrokerSilent(record.id);
    if (record.error !== null) throw new OpFailed(record.error);
    return record.result as OpBody[O];
  }

  private async reserve(run: Run, { idempotency }: Asking) {
    const id = uuidv7();
    const earlier = idempotency && (await this.requestKeys.repeatOf(run, idempotency, id));
    return { id, earlier };
  }

  /** @throws AgentNotFound for a name that none has */
  async idOf(idOrName: string): Promise<string> {
    if (isUuid(idOrName)) return idOrName;
    const id = NAME.test(idOrName) ? await this.repository.idOfName(idOrName) : undefined;
    if (id === undefined) throw new AgentNotFound();
    return id;
  }
}

/** Whom a command for an agent is for. */
export function placeOf({ id: agentId, brokerId, projectId }: AgentRow) {
  return { agentId, brokerId, ...(projectId === null ? {} : { projectId }) };
}

/** @param spec opened; asked for where it is sent */
function commandOf(verb: Verb, agent: AgentRow, newRunId: string, spec: () => ProcessSpec): Command {
  const { id: agentId, name, runId } = agent;
  const grace = { graceMs: GRACE_MS };
  switch (verb) {
    case 'start':
      return { op: 'agent.start', args: { agentId, name, runId: newRunId, spec: spec() } };
    case 'restart':
      return {
        op: 'agent.restart',
        args: { agentId, name, fromRunId: runId, runId: newRunId, spec: spec(), ...grace },
      };
    case 'stop':
      if (runId === null) throw new Error('an agent without a run cannot be stopped');
      return { op: 'agent.stop', args: { agentId, runId, ...grace } };
    case 'delete':
      return { op: 'agent.delete', args: { agentId, runId, ...grace } };
  }
}
