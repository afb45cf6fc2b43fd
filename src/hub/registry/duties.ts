import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Ownership } from './ownership.js';
import { StandbyLinks } from './standby-links.js';
import { Stays } from './stays.js';

/**
 * A link whose hint was lost carries no work meanwhile; this is how long its broker may go on believing in it. What is held
 * without a link is let go of as soon after the half minute that a connect may take.
 */
const RECHECK_EVERY_MS = 5_000;
const TIDY_EVERY_MS = 3_600_000;

/** What this module does by the clock: every replica with its own links, and whoever comes first with old stays. */
@Injectable()
export class RegistryDuties {
  private readonly loops: readonly Loop[];

  constructor(
    private readonly ownership: Ownership,
    private readonly standbyLinks: StandbyLinks,
    private readonly replica: Replica,
    stays: Stays,
    loops: Loops,
  ) {
    this.loops = [
      loops.make({ name: 'links', everyMs: RECHECK_EVERY_MS, turn: () => this.recheck() }),
      loops.make({
        name: 'stays',
        everyMs: TIDY_EVERY_MS,
        turn: (signal) => stays.tidy(signal),
      }),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  private async recheck(): Promise<void> {
    if (!this.replica.mayAct) return;
    await this.ownership.recheckAll();
    await this.standbyLinks.recheckAll();
    await this.ownership.releaseUnlinked();
  }
}
