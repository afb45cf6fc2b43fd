import { Injectable } from '@nestjs/common';
import { AgentTokens } from '../auth/agent-tokens.js';
import { CredentialInvalid } from '../auth/auth.errors.js';
import { BrokerNotAttached } from '../registry/attachment.errors.js';
import { AgentRepository, type AgentRow } from './agent.repository.js';
import { AgentNotFound, AgentRunOver } from './agents.errors.js';
import type { RunOf } from './drift.js';

/**
 * What agents show of themselves. Their brokers ask for it, each for the runs that it was told to start.
 *
 *     minted --15 minutes--> expired
 *       \--the run ends, another follows, its broker is revoked or detached, the agent is deleted--> refused
 *
 * The rows are read each time that one is shown, since all of these hold from their commit on.
 */
@Injectable()
export class AgentCredentials {
  constructor(
    private readonly tokens: AgentTokens,
    private readonly repository: AgentRepository,
  ) {}

  /** @throws AgentNotFound for one that is not on this broker, AgentRunOver, BrokerNotAttached, DatabaseUnavailable */
  async mint(brokerId: string, run: RunOf): Promise<{ token: string; expiresInS: number }> {
    const standing = await this.repository.standingOf(run, brokerId);
    if (standing === undefined) throw new AgentNotFound();
    if (!standing.goesOn) throw new AgentRunOver();
    if (!standing.isAttached) throw new BrokerNotAttached();
    return this.tokens.mint({ ...run, brokerId, projectId: standing.projectId });
  }

  /**
   * Which agent shows this token.
   *
   * @param admit called once the token is known to be one of this hub, with the agent's id
   * @throws CredentialInvalid also where the token has outlived what it was minted for
   * @throws DatabaseUnavailable where nobody can tell
   */
  async authenticate(token: string, admit: (agentId: string) => Promise<void>): Promise<AgentRow> {
    const { agentId, runId, brokerId, projectId } = await this.tokens.verify(token);
    await admit(agentId);
    const standing = await this.repository.standingOf({ agentId, runId }, brokerId);
    const isGood = standing?.goesOn === true && standing.isAttached && standing.projectId === projectId;
    const agent = isGood ? await this.repository.get(agentId) : undefined;
    if (agent === undefined) throw new CredentialInvalid();
    return agent;
  }
}
