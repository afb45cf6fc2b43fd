import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { History } from './history.js';

const EVERY_MS = 3_600_000;
/** Where somebody held the history. */
const AGAIN_MS = 60_000;

/** The hourly duty that forgets old history, unless the installation does it in another way. */
@Injectable()
export class Retention {
  private readonly log = new Logger('dispatch');
  private readonly loop: Loop | undefined;
  private isLeft = false;

  constructor(
    private readonly history: History,
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    loops: Loops,
  ) {
    if (!config.history.isForgotten) return;
    this.loop = loops.make({
      name: 'history retention',
      everyMs: () => (this.isLeft ? AGAIN_MS : EVERY_MS),
      faultCapMs: AGAIN_MS,
      turn: (signal) => this.turn(signal),
    });
  }

  start(): void {
    this.loop?.start();
  }

  async stop(): Promise<void> {
    await this.loop?.stop();
  }

  private async turn(signal: AbortSignal): Promise<void> {
    const { days, commands, isLeft } = await this.history.forget(this.config.history.days, signal);
    this.isLeft = isLeft;
    if (days.length > 0 || commands > 0) this.log.log({ days, commands }, 'forgot old history');
  }
}
