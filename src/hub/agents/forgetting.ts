import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { UpkeepRepository } from './upkeep.repository.js';

const EVERY_MS = 3_600_000;
const AT_ONCE = 500;

/** Forgets agents once their commands are forgotten. Every replica does it, a batch at a time, so that no transaction is long. */
@Injectable()
export class Forgetting {
  private readonly log = new Logger('agents');
  private readonly loop: Loop;

  constructor(
    private readonly repository: UpkeepRepository,
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    loops: Loops,
  ) {
    this.loop = loops.make({
      name: 'deleted agents',
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

  private async turn(signal: AbortSignal): Promise<void> {
    const { days } = this.config.history;
    const emptied = await allOf(signal, (after) => this.repository.emptyDeleted(after, AT_ONCE));
    const forgotten = await allOf(signal, (after) => this.repository.forgetDeleted(after, days, AT_ONCE));
    if (emptied > 0) this.log.log({ agents: emptied }, 'emptied environments of deleted agents');
    if (forgotten > 0) this.log.log({ agents: forgotten }, 'forgot agents that were deleted long ago');
  }
}

/** @param batch does up to `AT_ONCE` of those after an id, in the order of their ids, and says which */
async function allOf(
  signal: AbortSignal,
  batch: (after: string | null) => Promise<readonly string[]>,
): Promise<number> {
  let all = 0;
  for (let after: string | null = null; !signal.aborted;) {
    const done = await batch(after);
    all += done.length;
    after = done.at(-1) ?? null;
    if (done.length < AT_ONCE) break;
  }
  return all;
}
