import { Injectable, Logger } from '@nestjs/common';
import type { Initiator } from '../dispatch/draft.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Operations } from '../registry/operations.js';
import { AgentRepository } from './agent.repository.js';
import { Agents } from './agents.js';

const TICK_MS = 2_000;
/** Told to stop in one turn; the next turn follows at once where there are more. */
const AT_ONCE = 50;

/**
 * Empties brokers that drain: tells their agents to stop, each by a dispatch, and notes when none runs any more. It goes
 * by the rows alone, on every replica: whoever locks an agent first gives it the one command, and a replica that dies
 * half-way leaves the rest to the others.
 */
@Injectable()
export class Evacuation {
  private readonly log = new Logger('agents');
  private readonly loop: Loop;

  constructor(
    private readonly repository: AgentRepository,
    private readonly agents: Agents,
    private readonly operations: Operations,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'broker drains', everyMs: TICK_MS, turn: () => this.turn() });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private async turn(): Promise<void> {
    const draining = await this.repository.onDraining();
    const due = draining.flatMap(({ brokerId, due: agentIds }) =>
      agentIds.map((agentId) => ({ agentId, brokerId })),
    );
    for (const { agentId, brokerId } of due.slice(0, AT_ONCE)) await this.evacuate(agentId, brokerId);
    if (due.length > AT_ONCE) this.loop.wake();
    const empty = draining.filter(({ live }) => live === 0);
    if (empty.length > 0) await this.operations.drained(empty);
  }

  /** One that cannot be told now must not hold up the others: it is still due at the next turn. */
  private async evacuate(agentId: string, brokerId: string): Promise<void> {
    const initiator: Initiator = {
      kind: 'hub',
      id: brokerId,
      name: 'broker drain',
      credentialId: null,
      requestId: `drain-${brokerId}`,
    };
    await this.agents.evacuate(agentId, initiator).catch((error: unknown) => {
      this.log.warn(
        { agentId, brokerId, err: error },
        'an agent of a broker that drains could not be told to stop',
      );
    });
  }
}
