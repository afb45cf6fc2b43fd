import { Injectable } from '@nestjs/common';
import { isUuid } from '../../protocol/read.js';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import { CredentialInvalid } from './auth.errors.js';
import { SignedTokens } from './signed-tokens.js';
import { SigningKeys } from './signing-keys.js';

const LIVES_S = 15 * 60;
const KIND = {
  typ: 'fairlead-agent+jwt',
  audience: '/self',
  livesS: LIVES_S,
  claims: ['run', 'broker', 'project'],
};

/** An agent in one of its runs, on the broker that it was placed on, for its project. */
export type AgentInRun = { agentId: string; runId: string; brokerId: string; projectId: string | null };

/**
 * What an agent shows of itself: a signed word of the hub, good for minutes, which its broker has asked for. It says which run it
 * is of; whether that goes on is in the rows.
 */
@Injectable()
export class AgentTokens {
  private readonly signed: SignedTokens;

  constructor(keys: SigningKeys, hub: Hub, clock: Clock) {
    this.signed = new SignedTokens(KIND, keys, hub, clock);
  }

  /** @throws DatabaseUnavailable */
  async mint({
    agentId,
    runId,
    brokerId,
    projectId,
  }: AgentInRun): Promise<{ token: string; expiresInS: number }> {
    const claims = { run: runId, broker: brokerId, project: projectId };
    return { token: await this.signed.mint(agentId, claims), expiresInS: LIVES_S };
  }

  /**
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<AgentInRun> {
    const {
      sub: agentId,
      run: runId,
      broker: brokerId,
      project: projectId,
    } = await this.signed.verify(token);
    if (!isUuid(agentId) || !isUuid(runId) || !isUuid(brokerId)) throw new CredentialInvalid();
    if (projectId !== null && !isUuid(projectId)) throw new CredentialInvalid();
    return { agentId, runId, brokerId, projectId };
  }
}
