import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Identity } from '../../src/hub/database/embedded/run.js';
import { choose, nameOf, type Cell, type User } from './cells.js';
import { cacheFolder } from './fetch.js';
import type { Options } from './options.js';
import type { CellOutcome, Outcome, Report } from './report.js';
import { Stage } from './stage.js';
import { endStragglers } from './stragglers.js';
import { isCi, runSuite, type Verdict } from './suite.js';
import { actorFor, starterOf } from './user.js';

const NO_COUNTS = { passed: 0, failed: 0, skipped: 0 };

/** One round through the cells, one after another: the tests measure time, and two suites would share the machine. */
export class Round {
  private readonly cache: string;
  private readonly startedAt = performance.now();
  private stage: Stage | undefined;

  constructor(
    private readonly options: Pick<Options, 'quick' | 'all' | 'only'>,
    private readonly report: Report,
    private readonly signal: AbortSignal,
    private readonly starter: User = starterOf(),
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {
    this.cache = resolve(cacheFolder(env));
  }

  /** Runs every cell, whatever became of those before, until it is interrupted. */
  async run(): Promise<Outcome> {
    const { all, only, quick } = this.options;
    const chosen = choose({ all, only, starter: this.starter });
    const cells: CellOutcome[] = [];
    try {
      for (const [index, cell] of chosen.entries()) {
        if (this.signal.aborted) break;
        this.report.begin(cell, index + 1, chosen.length);
        const outcome = await this.outcomeOf(cell);
        this.report.end(outcome);
        cells.push(outcome);
      }
    } finally {
      await this.stage?.remove();
    }
    const ok =
      cells.length === chosen.length &&
      cells.some(({ state }) => state === 'passed') &&
      cells.every(({ state }) => state !== 'failed');
    return { ok, quick, seconds: secondsSince(this.startedAt), cells };
  }

  private async outcomeOf(cell: Cell): Promise<CellOutcome> {
    const actor = await actorFor(cell.user, this.starter);
    if ('as' in actor) return this.runCell(cell, actor.as);
    // Where nobody reads what was left out, nothing may be.
    const state = isCi(this.env) ? 'failed' : 'left out';
    return { ...cell, name: nameOf(cell), state, seconds: 0, ...NO_COUNTS, faults: [actor.hindrance] };
  }

  private async runCell(cell: Cell, as: Identity): Promise<CellOutcome> {
    this.stage ??= await Stage.build(this.signal);
    const startedAt = performance.now();
    const name = nameOf(cell);
    const logs = join(this.cache, 'logs');
    const log = join(logs, `${name}.log`);
    mkdirSync(logs, { recursive: true });
    rmSync(log, { force: true });
    const order = { cell, as, quick: this.options.quick, cache: this.cache, log, signal: this.signal };
    const { faults, ...counts } = await runSuite(this.stage, order).catch(asFault);
    await endStragglers(this.stage.folder);

    const outcome = { ...cell, name, seconds: secondsSince(startedAt), ...counts, faults };
    if (faults.length > 0) return { ...outcome, state: 'failed', ...(existsSync(log) ? { log } : {}) };
    rmSync(log, { force: true });
    return { ...outcome, state: 'passed' };
  }
}

function asFault(error: unknown): Verdict {
  return { ...NO_COUNTS, faults: [error instanceof Error ? error.message : String(error)] };
}

function secondsSince(startedAt: number): number {
  return Math.round((performance.now() - startedAt) / 1000);
}
