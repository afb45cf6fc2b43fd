/**
 * Whether commands have begun to act on agents, by what they leave on disk: for a later life of the broker, which found them in its
 * journal and nothing else.
 */
import type { OpArgs } from '../../protocol/op.js';
import { isErrno } from '../durable-file.js';
import type { Roster } from './roster.js';
import { DELETION, type StopOrder } from './run-folder.js';

export class Begun {
  constructor(private readonly roster: Roster) {}

  /** What no shim has taken was not started, though its order may be there. */
  async start({ agentId, runId }: Pick<OpArgs['agent.start'], 'agentId' | 'runId'>): Promise<boolean> {
    return (await this.roster.run(agentId, runId).state()).kind !== 'unclaimed';
  }

  async stop({ agentId, runId }: OpArgs['agent.stop']): Promise<boolean> {
    return (await this.roster.run(agentId, runId).stopOrder()) !== undefined;
  }

  async restart(args: OpArgs['agent.restart']): Promise<boolean> {
    const { agentId, fromRunId, runId } = args;
    return (await this.start(args)) || (await this.isStoppedFor(runId, agentId, fromRunId));
  }

  /** Of an agent of which nothing is kept there is nothing left to begin. */
  async deletion({ agentId, runId }: OpArgs['agent.delete']): Promise<boolean> {
    return (
      (await this.roster.find(agentId)) === undefined || (await this.isStoppedFor(DELETION, agentId, runId))
    );
  }

  /** Also one that was withdrawn: it has come to its end. */
  async message({ agentId, message }: OpArgs['agent.message']): Promise<boolean> {
    const latest = await this.roster.find(agentId);
    if (latest === undefined) return false;
    const { inbox } = this.roster.run(agentId, latest.runId);
    const standing = await inbox.standing(message.id).catch((error: unknown) => {
      // There is none before the first message.
      if (!isErrno(error, 'ENOENT')) throw error;
      return undefined;
    });
    return standing !== undefined;
  }

  /** A run that had been asked to stop before, for something else, says nothing of this. */
  private async isStoppedFor(
    purpose: StopOrder['purpose'],
    agentId: string,
    runId: string | null,
  ): Promise<boolean> {
    const latest = await this.roster.find(agentId);
    for (const each of new Set([runId, latest?.runId])) {
      if (each === null || each === undefined) continue;
      const order = await this.roster.run(agentId, each).stopOrder();
      if (order?.purpose === purpose) return true;
    }
    return false;
  }
}
