import { createHash } from 'node:crypto';
import { agentsDigestText } from '../../protocol/agents-digest.js';
import type { AgentReport, FrameOf } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import type { ToldRun } from './drift.js';

/** What the broker of one link has told of its agents there: complete from the first list on. */
export class ToldAgents {
  private told: Map<string, ToldRun> | undefined;
  private gathered: Map<string, ToldRun> | undefined;
  private digest: string | undefined;

  /** By agent; undefined until the first list is complete. */
  get all(): ReadonlyMap<string, ToldRun> | undefined {
    return this.told;
  }

  /**
   * @returns whether a list is complete with it
   * @throws ProtocolError for a list that is too long
   */
  took({ agents, list }: FrameOf<'event'>): boolean {
    this.digest = undefined;
    if (list === undefined) {
      this.add(this.told, agents);
      this.add(this.gathered, agents);
      return false;
    }
    this.gathered ??= new Map();
    this.add(this.gathered, agents);
    if (list === 'part') return false;
    this.told = this.gathered;
    this.gathered = undefined;
    return true;
  }

  /** Whether this is the digest of what was told here. */
  isOf(digest: string): boolean {
    if (this.told === undefined) return false;
    const runs = Array.from(this.told, ([agentId, run]) => ({ agentId, ...run }));
    this.digest ??= createHash('sha256').update(agentsDigestText(runs)).digest('hex');
    return this.digest === digest;
  }

  private add(to: Map<string, ToldRun> | undefined, agents: readonly AgentReport[]): void {
    if (to === undefined) return;
    for (const { agentId, runId, phase } of agents) to.set(agentId, { runId, phase });
    if (to.size > LIMITS.agents) throw new ProtocolError(`a broker tells of at most ${LIMITS.agents} agents`);
  }
}
