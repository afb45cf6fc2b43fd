import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Database } from '../database/database.js';
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
export class Headroom implements OnApplicationShutdown {
  private readonly log = new Logger('registry');
  private readonly delays: IntervalHistogram = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  private looking: NodeJS.Timeout | undefined;
  private pace: Pace | undefined;

  constructor(private readonly database: Database) {}

  /** A pace of at most so many a second, slowed down from now on while there is no room. */
  pacing(most: number): Pace {
    this.pace = new Pace(most);
    this.delays.enable();
    this.looking ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
    return this.pace;
  }

  onApplicationShutdown(): void {
    clearInterval(this.looking);
    this.delays.disable();
  }

  private look(): void {
    const lateMs = this.delays.max / 1e6 - SAMPLE_MS;
    this.delays.reset();
    const slowestMs = this.database.takeSlowestMs();
    const wasFull = this.pace?.isFull;
    this.pace?.adjust(lateMs > LATE_MS || slowestMs > SLOW_MS);
    if (wasFull === true && this.pace?.isFull === false) {
      this.log.debug(
        { lateMs: Math.round(lateMs), slowestMs: Math.round(slowestMs) },
        'brokers are let in more slowly',
      );
    }
  }
}
