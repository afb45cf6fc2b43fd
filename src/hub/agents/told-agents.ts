import { createHash } from 'node:crypto';
import { agentsDigestText } from '../../protocol/agents-digest.js';
import type { AgentReport, FrameOf } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import type { ToldRun } from './drift.js';

/** Shared by all brokers without agents, which may be many: never changed. */
const NONE: ReadonlyMap<string, ToldRun> = new Map();
const DIGEST_OF_NONE = digestOf(NONE);

/** What the broker of one link has told of its agents there: complete from the first list on. */
export class ToldAgents {
  private told: ReadonlyMap<string, ToldRun> | undefined;
  private gathered: ReadonlyMap<string, ToldRun> | undefined;
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
      this.told = this.told && joined(this.told, agents);
      this.gathered = this.gathered && joined(this.gathered, agents);
      return false;
    }
    this.gathered = joined(this.gathered ?? NONE, agents);
    if (list === 'part') return false;
    this.told = this.gathered;
    this.gathered = undefined;
    return true;
  }

  /** Whether this is the digest of what was told here. */
  isOf(digest: string): boolean {
    if (this.told === undefined) return false;
    if (this.told.size === 0) return digest === DIGEST_OF_NONE;
    this.digest ??= digestOf(this.told);
    return this.digest === digest;
  }
}

function digestOf(told: ReadonlyMap<string, ToldRun>): string {
  const runs = Array.from(told, ([agentId, run]) => ({ agentId, ...run }));
  return createHash('sha256').update(agentsDigestText(runs)).digest('hex');
}

/** @throws ProtocolError where there are too many with these */
function joined(
  told: ReadonlyMap<string, ToldRun>,
  agents: readonly AgentReport[],
): ReadonlyMap<string, ToldRun> {
  if (agents.length === 0) return told;
  // A map that has something in it belongs to one link alone, and a large one is not to be copied for each word.
  const all = told === NONE ? new Map<string, ToldRun>() : (told as Map<string, ToldRun>);
  for (const { agentId, runId, phase } of agents) all.set(agentId, { runId, phase });
  if (all.size > LIMITS.agents) throw new ProtocolError(`a broker tells of at most ${LIMITS.agents} agents`);
  return all;
}
