import { Inject, Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { DispatchLife } from '../dispatch/life.js';
import { Admission } from '../registry/admission.js';
import { Ownership } from '../registry/ownership.js';
import { Handover } from './handover.js';
import type { DrainStep, RolloutOutcome } from './rollout-row.js';
import { RolloutLog } from './rollout-log.js';
import { by, pause, soon } from './until.js';

/**
 * Takes this replica out of service without losing work. The order is the point: it is first told to everybody that
 * nothing new belongs here, brokers are then asked to go elsewhere and served until they have, and only what is left
 * at the deadline is let go of.
 */
@Injectable()
export class Draining {
  private readonly log = new Logger('drain');
  private draining: Promise<void> | undefined;
  private readonly listeners = new Set<(step: DrainStep, brokersHere: number) => void>();

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly replica: Replica,
    private readonly admission: Admission,
    private readonly ownership: Ownership,
    private readonly dispatch: DispatchLife,
    private readonly handover: Handover,
    private readonly rollout: RolloutLog,
  ) {}

  get hasBegun(): boolean {
    return this.draining !== undefined;
  }

  onStep(listener: (step: DrainStep, brokersHere: number) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Resolves when no broker is held here any more. Asking again joins the drain that is under way.
   *
   * @param deadlineMs from now; the configured one where left out
   */
  drain(deadlineMs: number = this.config.drain.deadlineMs): Promise<void> {
    this.draining ??= this.run(deadlineMs);
    return this.draining;
  }

  private async run(deadlineMs: number): Promise<void> {
    const deadlineAt = performance.now() + deadlineMs;
    // The door shuts here and now, and readiness goes with it: neither waits for a database that hangs.
    const settled = this.admission.close();
    // The row is the truth that other replicas read; without the database it must not hold up the drain.
    const announced = this.replica.beginDrain().catch((error: unknown) => {
      this.log.warn({ err: error }, 'the drain could not be announced');
    });
    await by(deadlineAt, soon(announced));
    await by(deadlineAt, settled);
    this.reached('announced');

    // Where nobody could take over, waiting helps nobody.
    const hasPeers = await by(deadlineAt, soon(this.replica.hasPeers().catch(() => true)));
    const outcome = hasPeers === false ? 'alone' : await this.handOver(deadlineAt);

    this.dispatch.releaseWaits();
    await this.ownership.releaseAll('the replica has drained');
    this.reached('released');
    await this.rollout.end(outcome);
  }

  private async handOver(deadlineAt: number): Promise<RolloutOutcome> {
    // Balancers need time to forget this replica.
    await pause(Math.min(this.config.drain.lingerMs, deadlineAt - performance.now()));
    this.reached('lingered');
    await by(deadlineAt, this.handover.askAll(deadlineAt));
    this.reached('asked_brokers');
    const how = await this.handover.moved(deadlineAt);
    this.reached(how);
    return how === 'brokers_moved' ? 'moved' : 'deadline';
  }

  private reached(step: DrainStep): void {
    const brokers = this.rollout.reached(step);
    this.log.log({ step, brokers }, 'drain');
    for (const listener of this.listeners) listener(step, brokers);
  }
}
