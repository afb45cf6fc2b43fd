import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { JsonObject } from '../../protocol/frame.js';
import type { Message } from '../../protocol/op.js';
import type { BatchOutcome } from '../dispatch/batches.js';
import type { Asking } from '../dispatch/caller.js';
import { Dispatches } from '../dispatch/dispatches.js';
import type { DispatchRecord } from '../dispatch/record.js';
import type { AgentRow } from './agent.repository.js';
import { Agents, placeOf } from './agents.js';
import { VerbRefused } from './agents.errors.js';

/** What is sent, and for how long it is worth sending. */
export type Letter = { text: string; deadlineS?: number | undefined };

/**
 * Messages to agents. Each is one dispatch under its agent's key, and nothing else: how far it is, is how far that
 * is, and what one caller has sent to an agent arrives in order, through whichever replicas.
 */
@Injectable()
export class Messages {
  constructor(
    private readonly agents: Agents,
    private readonly dispatches: Dispatches,
  ) {}

  /** @throws AgentNotFound, VerbRefused, IdempotencyKeyReused, and as Submission.submit */
  async send(idOrName: string, letter: Letter, asking: Asking, waitS: number): Promise<DispatchRecord> {
    return this.sendTo(await this.agents.get(idOrName), letter, asking, waitS);
  }

  /**
   * To each agent the same, and each for itself: that one is refused says nothing of the others. An agent that was
   * named twice, by its id and by its name, gets it once.
   */
  async sendToAll(
    idsOrNames: readonly string[],
    letter: Letter,
    asking: Asking,
    waitS: number,
  ): Promise<BatchOutcome[]> {
    const found = await Promise.all(
      idsOrNames.map((idOrName) => this.agents.get(idOrName).catch((error: unknown) => ({ error }))),
    );
    const sent = new Map<string, Promise<BatchOutcome>>();
    return Promise.all(
      found.map(async (agent): Promise<BatchOutcome> => {
        if ('error' in agent) return agent;
        const outcome =
          sent.get(agent.id) ??
          this.sendTo(agent, letter, askingFor(asking, agent.id, letter), waitS).then(
            (record) => ({ record }),
            (error: unknown) => ({ error }),
          );
        sent.set(agent.id, outcome);
        return outcome;
      }),
    );
  }

  /** Newest first. @throws AgentNotFound */
  async list({ id, brokerId }: AgentRow, before: string | null, limit: number): Promise<DispatchRecord[]> {
    return this.dispatches.list({ before, brokerId, agentId: id, state: null, op: 'agent.message', limit });
  }

  private async sendTo(
    agent: AgentRow,
    { text, deadlineS }: Letter,
    { initiator, idempotency }: Asking,
    waitS: number,
  ): Promise<DispatchRecord> {
    const { id: agentId, phase } = agent;
    if (phase === 'deleted' || phase === 'deleting') throw new VerbRefused('agent_deleted', agent);
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
      waitS,
    );
  }
}

/** Each message of a group is known by the request's key and its agent. */
function askingFor({ initiator, idempotency }: Asking, agentId: string, letter: Letter): Asking {
  if (idempotency === undefined) return { initiator };
  const requestHash = createHash('sha256').update(JSON.stringify(letter)).digest('base64url');
  return { initiator, idempotency: { ...idempotency, key: `${idempotency.key} ${agentId}`, requestHash } };
}
