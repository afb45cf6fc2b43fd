import { Injectable } from '@nestjs/common';
import { BrokerKeyRotation } from './broker-key-rotation.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { DeviceGrantRepository } from './device-grant.repository.js';
import { SessionRepository } from './session.repository.js';
import { SpentAssertionRepository } from './spent-assertion.repository.js';

const SWEEP_EVERY_MS = 60_000;
const BATCH = 1_000;
/** Each with its refresh tokens, thousands at the most. */
const SESSIONS_BATCH = 20;

/** What this module does by itself. Every replica does it; what one has locked the others skip. */
@Injectable()
export class AuthDuties {
  private readonly sweeping: Loop;

  constructor(
    loops: Loops,
    private readonly spent: SpentAssertionRepository,
    private readonly sessions: SessionRepository,
    private readonly grants: DeviceGrantRepository,
    private readonly brokerKeys: BrokerKeyRotation,
  ) {
    this.sweeping = loops.make({
      name: 'assertion-sweep',
      everyMs: SWEEP_EVERY_MS,
      faultCapMs: SWEEP_EVERY_MS,
      turn: (signal) => this.sweep(signal),
    });
  }

  start(): void {
    this.sweeping.start();
  }

  async stop(): Promise<void> {
    await this.sweeping.stop();
  }

  /** Forgets assertions, sessions and device grants that have ended, and notes which keys have lapsed, a batch at a time, so that no transaction is long. */
  async sweep(signal?: AbortSignal): Promise<void> {
    while (signal?.aborted !== true && (await this.spent.sweep(BATCH)) === BATCH);
    while (signal?.aborted !== true && (await this.sessions.sweep(SESSIONS_BATCH)) === SESSIONS_BATCH);
    while (signal?.aborted !== true && (await this.grants.sweep(BATCH)) === BATCH);
    while (signal?.aborted !== true && (await this.brokerKeys.sweep()).isBatch);
  }
}
