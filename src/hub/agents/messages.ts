import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { JsonObject } from '../../protocol/frame.js';
import type { Message } from '../../protocol/op.js';
import { RequestKeys } from '../auth/request-keys.js';
import type { Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import type { BatchOutcome } from '../dispatch/batches.js';
import { askingForPart, type Asking } from '../dispatch/caller.js';
import { Dispatches } from '../dispatch/dispatches.js';
import type { DispatchRecord } from '../dispatch/record.js';
import type { Part } from '../http/page.js';
import type { Wait } from '../http/prefer.js';
import { Projects } from '../registry/projects.js';
import type { AgentRow } from './agent.repository.js';
import { Agents, placeOf } from './agents.js';
import { AgentNotFound, TooManyRecipients, VerbRefused } from './agents.errors.js';

/** Agents that a message to a project may reach. */
export const PROJECT_MOST = 500;

/** What is sent, and for how long it is worth sending. */
export type Letter = { text: string; deadlineS?: number | undefined };

/**
 * Messages to agents. Each is one dispatch under its agent's key, and nothing else: how far it is, is how far that
 * is, and what one caller has sent to an agent arrives in order, through whichever replicas.
 *
 * A repeat with the same idempotency key is for those that the first request was for, and gives each its first answer, also
 * where an agent was deleted since, or its name is another's; one that was refused is tried again.
 */
@Injectable()
export class Messages {
  constructor(
    private readonly agents: Agents,
    private readonly dispatches: Dispatches,
    private readonly projects: Projects,
    private readonly requestKeys: RequestKeys,
    private readonly database: Database,
  ) {}

  /** @throws AgentNotFound, VerbRefused, IdempotencyKeyReused, and as Submission.submit */
  async send(
    idOrName: string,
    letter: Letter,
    asking: Asking,
    wait: Wait,
    scope: Scope,
  ): Promise<DispatchRecord> {
    try {
      const agent = await this.agents.get(await this.agents.within(scope, idOrName));
      return await this.sendTo(agent, letter, asking, wait);
    } catch (error) {
      if (!(error instanceof AgentNotFound)) throw error;
      return this.agents.earlier(error, asking, wait, scope);
    }
  }

  /**
   * To each agent the same, and each for itself: that one is refused says nothing of the others. An agent that was
   * named twice, by its id and by its name, gets it once.
   *
   * @throws IdempotencyKeyReused, DatabaseUnavailable: nothing was sent
   */
  async sendToAll(
    idsOrNames: readonly string[],
    letter: Letter,
    asking: Asking,
    wait: Wait,
    scope: Scope,
  ): Promise<BatchOutcome[]> {
    const rows = new Map<string, AgentRow>();
    const find = async (idOrName: string) => {
      const agent = await this.agents.get(await this.agents.within(scope, idOrName));
      rows.set(agent.id, agent);
      return agent;
    };
    const idOrNull = async (idOrName: string) =>
      find(idOrName).then(
        ({ id }) => id,
        () => null,
      );
    const ids = await this.recipients(asking, () => Promise.all(idsOrNames.map(idOrNull)));
    const sent = new Map<string, Promise<BatchOutcome>>();
    return Promise.all(
      idsOrNames.map(async (idOrName, place): Promise<BatchOutcome> => {
        const id = ids[place] ?? idOrName;
        const agent = rows.get(id) ?? (await find(id).catch((error: unknown) => ({ error })));
        if ('error' in agent) return agent;
        const outcome = sent.get(agent.id) ?? this.sendAsOneOf(agent, letter, asking, wait);
        sent.set(agent.id, outcome);
        return outcome;
      }),
    );
  }

  /**
   * To each agent that the project has at this moment, oldest first, and to each for itself.
   *
   * @throws NotFound for the project, TooManyRecipients, IdempotencyKeyReused, DatabaseUnavailable: nothing was sent
   */
  async sendToProject(
    project: string,
    letter: Letter,
    asking: Asking,
    wait: Wait,
    scope: Scope,
  ): Promise<{ agent: string; outcome: BatchOutcome }[]> {
    const { id } = await this.projects.get(await this.projects.within(scope, project));
    const listed = await this.agents.list(null, { project: id }, PROJECT_MOST + 1, scope);
    const rows = new Map(listed.map((agent) => [agent.id, agent]));
    const ids = await this.recipients(asking, () => {
      if (listed.length > PROJECT_MOST) throw new TooManyRecipients(PROJECT_MOST);
      return listed
        .filter(({ phase }) => phase !== 'deleting')
        .map((agent) => agent.id)
        .reverse();
    });
    return Promise.all(
      ids.map(async (agentId) => {
        const agent = rows.get(agentId) ?? (await this.agents.get(agentId));
        return { agent: agent.name, outcome: await this.sendAsOneOf(agent, letter, asking, wait) };
      }),
    );
  }

  /** Newest first. @throws AgentNotFound */
  async list(
    { id, brokerId }: AgentRow,
    before: string | null,
    limit: number,
    { sees }: Scope,
  ): Promise<Part<DispatchRecord>> {
    const of = { brokerId, agentId: id, state: null, op: 'agent.message', withArgs: true };
    return this.dispatches.list({ ...of, before, limit, sees });
  }

  /** The messages to all agents of a project, newest first. @throws NotFound */
  async listOfProject(
    project: string,
    before: string | null,
    limit: number,
    scope: Scope,
  ): Promise<Part<DispatchRecord>> {
    const projectId = await this.projects.within(scope, project);
    const all = { brokerId: null, agentId: null, state: null, op: 'agent.message', withArgs: true };
    return this.dispatches.list({ ...all, before, projectId, limit, sees: scope.sees });
  }

  /**
   * The agents that a request is for: those that it was for when it came first. They are kept before anything is sent, so that
   * whoever repeats it after half of it was sent sends the rest to the others.
   *
   * @throws IdempotencyKeyReused
   */
  private async recipients<Id extends string | null>(
    { idempotency }: Asking,
    find: () => Id[] | Promise<Id[]>,
  ): Promise<Id[]> {
    if (idempotency === undefined) return find();
    const earlier = await this.requestKeys.answerTo<{ agents: Id[] }>(idempotency);
    if (earlier !== undefined) return earlier.agents;
    const agents = await find();
    const kept = await this.database.transaction((run) =>
      this.requestKeys.once(run, idempotency, () => Promise.resolve({ agents })),
    );
    return kept.agents;
  }

  private async sendAsOneOf(
    agent: AgentRow,
    letter: Letter,
    asking: Asking,
    wait: Wait,
  ): Promise<BatchOutcome> {
    try {
      return { record: await this.sendTo(agent, letter, askingForPart(asking, agent.id, letter), wait) };
    } catch (error) {
      return { error };
    }
  }

  private async sendTo(
    agent: AgentRow,
    { text, deadlineS }: Letter,
    { initiator, idempotency }: Asking,
    wait: Wait,
  ): Promise<DispatchRecord> {
    const { id: agentId, phase } = agent;
    if (phase === 'deleted' || phase === 'deleting') {
      const earlier = idempotency && (await this.requestKeys.winnerOf(idempotency));
      if (earlier === undefined) throw new VerbRefused('agent_deleted', agent);
      return this.dispatches.waitForAccepted(earlier, wait);
    }
    const id = uuidv7();
    const from = { kind: initiator.kind, id: initiator.id, name: initiator.name };
    const message: Message = { id, from, text, sentAt: new Date().toISOString() };
    const args: JsonObject = { agentId, message };
    return this.dispatches.submit(
      {
        ...placeOf(agent),
        id,
        op: 'agent.message',
        args,
        initiator,
        ...(deadlineS === undefined ? {} : { deadlineS }),
        ...(idempotency === undefined ? {} : { idempotency }),
      },
      wait,
    );
  }
}
