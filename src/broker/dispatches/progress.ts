import { batches } from '../../protocol/batches.js';
import type { ProgressItem } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import type { Wire } from './results.js';

/** How far an op is: a part of 1, words for people, or both. What is left out stays as it was told before. */
export type Told = { fraction?: number; note?: string };

/** Most commands end sooner, and of those only the result is told. */
const FIRST_AFTER_MS = 250;

/**
 * Tells the hub how far commands are: what is said within a second goes together, of each command the latest. It is
 * not kept for a crash, and of what has ended meanwhile nothing is told but its result.
 */
export class Progress {
  private readonly untold = new Map<string, Told>();
  private resting: NodeJS.Timeout | undefined;
  private isStopped = false;

  /** @param attemptOf the attempt that is under way; undefined for a command that is not */
  constructor(
    private readonly attemptOf: (id: string) => number | undefined,
    private readonly wire: Wire,
    private readonly firstAfterMs = FIRST_AFTER_MS,
    private readonly everyMs: number = TIMES.progressMs,
  ) {}

  tell(id: string, told: Told): void {
    const heard = heardOf(told);
    if (this.isStopped || Object.keys(heard).length === 0) return;
    this.untold.set(id, { ...this.untold.get(id), ...heard });
    this.resting ??= setTimeout(() => this.flush(), this.firstAfterMs);
  }

  /** Tells what is to be told, if there is a link; without one it waits for the next. */
  flush(): void {
    clearTimeout(this.resting);
    this.resting = undefined;
    const link = this.wire.links().find(({ isOpen }) => isOpen);
    if (this.isStopped || this.untold.size === 0 || link === undefined) return;
    const items = [...this.untold].flatMap(([id, told]) => itemOf(id, this.attemptOf(id), told));
    this.untold.clear();
    for (const part of batches(items, (item) => Buffer.byteLength(JSON.stringify(item)))) {
      link.send({ t: 'progress', progress: part });
    }
    this.resting = setTimeout(() => this.flush(), this.everyMs);
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.resting);
    this.untold.clear();
  }
}

/** Ops may be plain JavaScript, which says anything: what is no number or no text was not said. */
function heardOf(told: Told): Told {
  const { fraction, note } = { ...told };
  const isNumber = fraction !== undefined && Number.isFinite(fraction);
  return { ...(isNumber ? { fraction } : {}), ...(typeof note === 'string' ? { note } : {}) };
}

/** What the hub would not take is cut to what it takes: a word on the way must not end the link. */
function itemOf(id: string, attempt: number | undefined, { fraction, note }: Told): ProgressItem[] {
  if (attempt === undefined) return [];
  const part = fraction === undefined ? null : Math.min(1, Math.max(0, fraction));
  return [{ id, attempt, fraction: part, note: note?.slice(0, LIMITS.progressNoteLength) ?? null }];
}
