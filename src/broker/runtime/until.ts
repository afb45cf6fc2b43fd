import { setMaxListeners } from 'node:events';
import { watch, type FSWatcher } from 'node:fs';
import { isOutput } from './output.js';

const LOOK_MS = 250;
const LOOK_UNWATCHED_MS = 1_000;

type UntilOptions = {
  withinMs?: number;
  signal?: AbortSignal;
  /** Time between looks that no change has caused; longer where waiting is long and what is waited for tells of itself. */
  everyMs?: number;
  /** Is given what causes a look at once. */
  wakeable?: (wake: () => void) => void;
};

/**
 * Looks at something in a folder until it says yes: at once, at each change that the system tells of, and now and
 * then in case it tells of none. Of a time that it was given no look takes away the rest by throwing: the disk may be readable
 * again in a moment.
 *
 * @returns undefined when the time was up, or the signal was given, first
 * @throws what the last look threw when the time was up; where it was given no time, what any look throws
 */
export async function until<T>(
  folder: string,
  look: () => Promise<T | undefined>,
  { withinMs, signal, everyMs = LOOK_MS, wakeable }: UntilOptions,
): Promise<T | undefined> {
  let wake: () => void = () => undefined;
  const watcher = watchIfPossible(folder, () => wake());
  const lookMs = watcher === undefined ? Math.min(everyMs, LOOK_UNWATCHED_MS) : everyMs;
  const isOver = () => signal?.aborted === true;
  const onAbort = () => wake();
  wakeable?.(() => wake());
  // As many wait for one signal as there are runs.
  if (signal !== undefined) setMaxListeners(0, signal);
  signal?.addEventListener('abort', onAbort);
  const giveUpAt = withinMs === undefined ? Infinity : performance.now() + withinMs;
  try {
    for (;;) {
      let changed = false;
      wake = () => (changed = true);
      const found = await look().catch((error: unknown) => {
        if (withinMs === undefined || performance.now() >= giveUpAt) throw error;
        return undefined;
      });
      if (found !== undefined) return found;
      if (isOver() || performance.now() >= giveUpAt) return undefined;
      if (!changed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(lookMs, giveUpAt - performance.now()));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  } finally {
    watcher?.close();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** The system has only so many watches to give; looking does without. */
function watchIfPossible(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    // What a process writes says nothing of how it is.
    return watch(folder, (_event, name) => {
      if (!isOutput(name)) onChange();
    }).on('error', () => undefined);
  } catch {
    return undefined;
  }
}
