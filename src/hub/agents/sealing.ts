import { Injectable, Logger } from '@nestjs/common';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { SealedSpecs } from './sealed-specs.js';
import { UpkeepRepository } from './upkeep.repository.js';

const EVERY_MS = 3_600_000;
const AT_ONCE = 100;

/** Seals environments that stand in clear, as releases before this one stored them. Every replica does it. */
@Injectable()
export class Sealing {
  private readonly log = new Logger('agents');
  private readonly loop: Loop;

  constructor(
    private readonly repository: UpkeepRepository,
    private readonly specs: SealedSpecs,
    loops: Loops,
  ) {
    this.loop = loops.make({
      name: 'agents in clear',
      everyMs: EVERY_MS,
      faultCapMs: 60_000,
      turn: (signal) => this.turn(signal),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Each for itself: what was changed meanwhile is left for the next look. */
  private async turn(signal: AbortSignal): Promise<void> {
    let count = 0;
    for (let after: string | null = null; !signal.aborted;) {
      const found = await this.repository.inClear(after, AT_ONCE);
      for (const { id, spec } of found) {
        const { environment } = this.specs.seal(id, spec);
        if (await this.repository.sealEnvironment(id, spec.environment, environment)) count += 1;
      }
      after = found.at(-1)?.id ?? null;
      if (found.length < AT_ONCE) break;
    }
    if (count > 0) this.log.log({ count }, 'sealed environments of agents that stood in clear');
  }
}
