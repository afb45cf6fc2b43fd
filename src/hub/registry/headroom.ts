import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { Database } from '../database/database.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Pace } from './pace.js';

const LOOK_EVERY_MS = 250;
/** How often the event loop's lateness is sampled, which is also what it is late when idle. */
const SAMPLE_MS = 10;
/** A turn of the event loop this late keeps every caller of this replica waiting as long. */
const LATE_MS = 100;
/** A statement this slow, its wait for a connection included, says that the database has no more to give. */
const SLOW_MS = 500;

/**
 * What this replica and its database have left for more brokers, measured four times a second: how late the event loop
 * runs, and how long the slowest statement took that ended since. After a crash a whole fleet comes to those that
 * are left, which serve their callers all the while.
 */
@Injectable()
export class Headroom {
  /** At which brokers are let in: as the configuration has it, and slower while there is no room. */
  readonly pace: Pace;
  private readonly log = new Logger('registry');
  private delays: IntervalHistogram | undefined;
  private readonly loop: Loop;

  constructor(
    private readonly database: Database,
    loops: Loops,
    @Inject(HUB_CONFIG) { admissionsPerS }: HubConfig,
  ) {
    this.pace = new Pace(admissionsPerS);
    this.loop = loops.make({
      name: 'headroom',
      everyMs: LOOK_EVERY_MS,
      turn: () => Promise.resolve(this.look()),
    });
  }

  start(): void {
    // Made no sooner: one that was never enabled counts with Node among what keeps a process running.
    this.delays = monitorEventLoopDelay({ resolution: SAMPLE_MS });
    this.delays.enable();
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    this.delays?.disable();
  }

  private look(): void {
    if (this.delays === undefined) return;
    const lateMs = this.delays.max / 1e6 - SAMPLE_MS;
    this.delays.reset();
    const slowestMs = this.database.takeSlowestMs();
    if (this.pace.adjust(lateMs > LATE_MS || slowestMs > SLOW_MS)) {
      this.log.debug(
        { lateMs: Math.round(lateMs), slowestMs: Math.round(slowestMs) },
        'brokers are let in more slowly',
      );
    }
  }
}
