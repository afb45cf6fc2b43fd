import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { PresenceRepository } from './presence.repository.js';

const EVERY_MS = 5_000;

/**
 * Judges brokers that no replica holds. What it finds is told to people and changes what is shown; nothing is ever
 * commanded for it, since a broker that cannot be reached goes on with what it has.
 */
@Injectable()
export class Sweep {
  private readonly log = new Logger('heartbeat');
  private readonly loop: Loop;

  constructor(
    private readonly repository: PresenceRepository,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'presence sweep', everyMs: EVERY_MS, turn: () => this.sweep() });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private async sweep(): Promise<void> {
    if (!this.replica.mayAct) return;
    for (const demoted of await this.repository.demoteUnowned()) this.log.warn(demoted, 'a broker is silent');
  }
}
