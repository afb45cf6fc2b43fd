import { Injectable } from '@nestjs/common';
import { Backlogs } from './backlogs.js';
import { Contracts } from './contracts.js';
import { Intake } from './intake.js';
import { Progress } from './progress.js';
import { ReadRepository, type LiveDepth, type ProjectDepth } from './read.repository.js';
import { Reconciler } from './reconciler.js';
import { Results } from './results.js';
import { Retention } from './retention.js';
import { Shares } from './shares.js';
import { Sweeps } from './sweeps.js';
import { Upkeep } from './upkeep.js';
import { Waits } from './waits.js';

/** Starting and ending the work of this module on one replica. */
@Injectable()
export class DispatchLife {
  constructor(
    private readonly backlogs: Backlogs,
    private readonly reconciler: Reconciler,
    private readonly upkeep: Upkeep,
    private readonly contracts: Contracts,
    private readonly results: Results,
    private readonly waits: Waits,
    private readonly sweeps: Sweeps,
    private readonly retention: Retention,
    private readonly shares: Shares,
    private readonly progress: Progress,
    private readonly repository: ReadRepository,
    private readonly intake: Intake,
  ) {}

  start(): void {
    this.contracts.start();
    this.reconciler.start();
    this.upkeep.start();
    this.waits.start();
    this.shares.start();
    this.sweeps.start();
    this.retention.start();
    this.progress.start();
  }

  /** Answers whoever waits for an ending with how it stands. */
  releaseWaits(): void {
    this.waits.release();
  }

  async stop(): Promise<void> {
    await this.upkeep.stop();
    await this.reconciler.stop();
    await this.sweeps.stop();
    await this.retention.stop();
    await this.progress.stop();
    await this.results.idle();
    await this.contracts.idle();
    await this.waits.stop();
  }

  /** What this replica holds in memory: of its brokers' commands, and of those that came in and are not stored yet. */
  here(): { waiting: number; unacked: number; out: number; notStored: number } {
    return { ...this.backlogs.depth(), notStored: this.intake.waiting };
  }

  /** Live rows of the whole hub by state, with the age of the oldest in seconds. */
  async rows(): Promise<LiveDepth[]> {
    return this.repository.depths();
  }

  /** Pending rows of the whole hub by project, those with most of them first. */
  async projects(): Promise<ProjectDepth[]> {
    return this.repository.depthsOfProjects();
  }
}
