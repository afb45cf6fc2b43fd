import { Injectable } from '@nestjs/common';
import { Wakes } from '../cluster/wakes.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Endings } from './endings.js';
import { ProgressRepository } from './progress.repository.js';
import { ReadRepository } from './read.repository.js';
import { readOutcomeCopy, type OutcomeCopy } from './row-copy.js';

/** Rest between looks at the rows of all waited-for dispatches, while hints arrive and while they do not. */
const LOOK_MS = { notify: 1_000, poll: 250 } as const;
/** Rest between looks at the rows of those that this replica gets no hints of. */
const TICK_MS = 250;
const LOOK_MOST = 1_000;

/** How long somebody waits: never beyond the total, and only while the window since the last word is open. */
export type Patience = { totalMs: number; windowMs: number };

type Watch = {
  /** Resolves at the end, with how it ended where that was told, or when patience is over. */
  ended: (patience: Patience) => Promise<OutcomeCopy | undefined>;
  cancel: () => void;
};
type Finish = (outcome?: OutcomeCopy) => void;

/**
 * Callers that wait on this replica for the end of a dispatch. An ending settled here is known at once, one
 * settled elsewhere by its hint, and one whose hint was lost by the next look at the rows. Those who wait only while
 * something is heard of it learn that by the same ways.
 */
@Injectable()
export class Waits {
  private readonly waiting = new Map<string, Set<Finish>>();
  /** Those of them who wait for what came in on another replica, which gets the hints. */
  private readonly foreign = new Map<string, Set<Finish>>();
  private readonly loop: Loop;
  /** The timers that whatever is heard of a dispatch puts back. */
  private readonly windows = new Map<string, Set<NodeJS.Timeout>>();
  private readonly heardAt = new Map<string, string>();
  private lookedAt = -Infinity;
  private closed = false;

  constructor(
    private readonly repository: ReadRepository,
    private readonly progress: ProgressRepository,
    private readonly wakes: Wakes,
    private readonly endings: Endings,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'waits', everyMs: TICK_MS, faultCapMs: 1_000, turn: () => this.look() });
  }

  start(): void {
    this.endings.observe((endings, outcomes) => {
      for (const { id } of endings) this.ended(id, outcomes.get(id));
    });
    this.wakes.subscribe({
      onHint: ({ ended, outcomes, progressed }) => {
        for (const id of ended) this.ended(id);
        for (const [id, outcome] of outcomes) this.ended(id, readOutcomeCopy(outcome));
        for (const id of progressed) this.heard(id);
      },
      onResumed: () => {
        this.lookedAt = -Infinity;
        this.loop.wake();
      },
    });
    this.loop.start();
  }

  /** Answers everybody who waits, as if their time were up, and lets nobody wait any more. */
  release(): void {
    this.closed = true;
    for (const id of [...this.waiting.keys()]) this.ended(id);
  }

  async stop(): Promise<void> {
    this.release();
    await this.loop.stop();
  }

  /**
   * Begins to watch before the caller stores or reads the dispatch, so that no ending falls in between.
   *
   * @param isForeign the dispatch came in on another replica, which gets the hints of its end
   */
  watch(id: string, isForeign: boolean): Watch {
    let finish: Finish = () => undefined;
    const done = new Promise<OutcomeCopy | undefined>((resolve) => (finish = resolve));
    const kept = isForeign ? [this.waiting, this.foreign] : [this.waiting];
    for (const all of kept) all.set(id, (all.get(id) ?? new Set()).add(finish));
    if (this.closed) finish();
    const cancel = () => {
      finish();
      for (const all of kept) {
        const watchers = all.get(id);
        watchers?.delete(finish);
        if (watchers?.size === 0) all.delete(id);
      }
    };
    return {
      cancel,
      ended: async ({ totalMs, windowMs }) => {
        const timer = setTimeout(() => finish(), totalMs);
        const closeWindow = windowMs < totalMs ? this.openWindow(id, finish, windowMs) : undefined;
        const outcome = await done;
        clearTimeout(timer);
        closeWindow?.();
        cancel();
        return outcome;
      },
    };
  }

  private ended(id: string, outcome?: OutcomeCopy): void {
    const watchers = this.waiting.get(id);
    this.waiting.delete(id);
    this.foreign.delete(id);
    for (const finish of watchers ?? []) finish(outcome);
  }

  private openWindow(id: string, finish: Finish, windowMs: number): () => void {
    const window = setTimeout(() => finish(), windowMs);
    const windows = this.windows.get(id) ?? new Set();
    this.windows.set(id, windows.add(window));
    return () => {
      clearTimeout(window);
      windows.delete(window);
      if (windows.size > 0) return;
      this.windows.delete(id);
      this.heardAt.delete(id);
    };
  }

  private heard(id: string): void {
    for (const window of this.windows.get(id) ?? []) window.refresh();
  }

  private async look(): Promise<void> {
    if (this.waiting.size === 0) return;
    const areAllDue = performance.now() - this.lookedAt >= LOOK_MS[this.wakes.rung];
    if (areAllDue) this.lookedAt = performance.now();
    const due = areAllDue ? this.waiting : this.foreign;
    const ids = [...due.keys()];
    for (let from = 0; from < ids.length; from += LOOK_MOST) {
      for (const id of await this.repository.ended(ids.slice(from, from + LOOK_MOST))) this.ended(id);
    }
    await this.lookForProgress([...this.windows.keys()].filter((id) => due.has(id)));
  }

  private async lookForProgress(ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += LOOK_MOST) {
      for (const { id, at } of await this.progress.heardAt(ids.slice(from, from + LOOK_MOST))) {
        if (this.heardAt.get(id) === at || !this.windows.has(id)) continue;
        this.heardAt.set(id, at);
        this.heard(id);
      }
    }
  }
}
