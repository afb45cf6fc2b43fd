import { FAILED } from './effect-op.js';

export type KindRule = {
  mayEnd: readonly string[];
  /** With which error it fails, where it may. */
  failsAs?: string;
};

/**
 * Commands that need not succeed, and what may become of each. They come beside the others (`--mix`), under keys of their own, so
 * that what is asked of the others, and expected of them, stays as it is. Any of them may end as unknown besides, for the causes that
 * the others may.
 */
export const KINDS = {
  /** Its op fails, for good, and says why. */
  failing: { mayEnd: ['failed'], failsAs: FAILED },
  /** Its op fails once in a way that may pass. */
  flaky: { mayEnd: ['succeeded'] },
  /** Its client gives it up soon after it was accepted. */
  cancelled: { mayEnd: ['succeeded', 'cancelled'] },
  /** It has a deadline of a few seconds. Where its broker is the one to find that passed, it has failed. */
  expiring: { mayEnd: ['succeeded', 'expired', 'failed'], failsAs: 'deadline_passed' },
  /** It is not to be sent for a few seconds. */
  later: { mayEnd: ['succeeded'] },
  /** A later one of its key takes its place while it waits. */
  latest: { mayEnd: ['succeeded', 'cancelled'] },
} as const satisfies Record<string, KindRule>;

export type Kind = keyof typeof KINDS;

export const KIND_NAMES = Object.keys(KINDS) as [Kind, ...Kind[]];

/** What the op of the brokers is to do other than succeed. */
export type Conduct = 'fails' | 'fails_once';
