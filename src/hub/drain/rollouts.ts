import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { NotFound } from '../problems/coded.error.js';
import { Judgement } from './judgement.js';
import type { RolloutReport, RolloutRow } from './rollout-row.js';
import { RolloutRepository, type DueRollout } from './rollout.repository.js';

const LOOK_MS = 2_000;
const FORGET_EVERY_MS = 3_600_000;

/** The drains of the last 30 days, and what became of what was there: judged by whichever replica comes first. */
@Injectable()
export class Rollouts {
  private readonly log = new Logger('drain');
  private readonly loops: readonly Loop[];

  constructor(
    private readonly repository: RolloutRepository,
    private readonly judgement: Judgement,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loops = [
      loops.make({ name: 'rollouts', everyMs: LOOK_MS, turn: () => this.judge() }),
      loops.make({ name: 'old rollouts', everyMs: FORGET_EVERY_MS, turn: () => this.repository.forgetOld() }),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** Newest first, those before the given one. */
  async list(before: string | null, limit: number): Promise<RolloutRow[]> {
    return this.repository.list(before, limit);
  }

  /** @throws NotFound */
  async get(id: string): Promise<RolloutRow> {
    const row = await this.repository.find(id);
    if (row === undefined) throw new NotFound('rollout');
    return row;
  }

  /** All that can be judged now. */
  private async judge(): Promise<void> {
    // One that leaves has other things to do.
    while (this.replica.mayAct && this.replica.state !== 'draining') {
      const due = await this.repository.takeDue();
      if (due === undefined) return;
      const report = await this.reportOf(due);
      if (report === undefined) await this.repository.putOff(due.id);
      else await this.judged(due.id, report);
    }
  }

  /** One that cannot be judged here is given back, for another may be able to. */
  private async reportOf(due: DueRollout): Promise<RolloutReport | undefined> {
    try {
      return await this.judgement.of(due);
    } catch (error) {
      await this.repository.putOff(due.id).catch(() => undefined);
      throw error;
    }
  }

  private async judged(rollout: string, report: RolloutReport): Promise<void> {
    await this.repository.judge(rollout, report);
    const { clean, moved, gapMs, commands, lost, duplicated, reordered } = report;
    const about = { rollout, moved, gapMs, commands, lost, duplicated, reordered };
    if (clean) this.log.log(about, 'a drain was judged');
    else this.log.error(about, 'a drain was judged, and is not clean');
  }
}
