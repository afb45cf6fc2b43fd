import { Inject, Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { DispatchLife } from '../dispatch/life.js';
import { newId } from '../new-id.js';
import { Links } from '../registry/links.js';
import { SOFTWARE } from '../software.js';
import type { DrainStep, RolloutOutcome, RolloutStep } from './rollout-row.js';
import { RolloutRepository } from './rollout.repository.js';
import { soon } from './until.js';

/** Keeps what the drain of this replica did, for the report. A row that cannot be written never holds up the drain. */
@Injectable()
export class RolloutLog {
  private readonly log = new Logger('drain');
  private readonly id = newId();
  private readonly steps: RolloutStep[] = [];
  private begunAtMs: number | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly replica: Replica,
    private readonly links: Links,
    private readonly dispatch: DispatchLife,
    private readonly repository: RolloutRepository,
  ) {}

  /** @returns the brokers that are here */
  reached(step: DrainStep): number {
    this.begunAtMs ??= performance.now();
    const ms = Math.round(performance.now() - this.begunAtMs);
    const brokers = this.links.count;
    this.steps.push({ step, ms, brokers, inFlight: this.dispatch.here().out });
    this.write(null);
    return brokers;
  }

  /** Resolves when it is written, or two seconds later. */
  async end(outcome: RolloutOutcome): Promise<void> {
    this.write(outcome);
    await soon(this.writing);
  }

  /** One after another, so that the newest is what stays. */
  private write(outcome: RolloutOutcome | null): void {
    const about = { id: this.id, replicaName: this.config.replicaName, software: SOFTWARE };
    const steps = [...this.steps];
    this.writing = this.writing
      .then(() => {
        const ageMs = performance.now() - (this.begunAtMs ?? performance.now());
        return this.repository.write({ ...about, replicaId: this.replica.id, ageMs, steps, outcome });
      })
      .catch((error: unknown) => {
        this.log.warn({ err: error }, 'the drain could not be recorded');
      });
  }
}
