/**
 * The states of a dispatch and what may happen to it in each. This is the only place that says so: SQL is given
 * the states it may act on as parameters from here, and the schema's checks are compared with it by a test.
 */

export const LIVE_STATES = ['pending', 'claimed', 'running'] as const;
export const ENDED_STATES = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'] as const;
/** The history has an index of those that did not succeed. */
export const EXCEPTIONS = [
  'failed',
  'cancelled',
  'expired',
  'dead',
] as const satisfies (typeof ENDED_STATES)[number][];

export type LiveState = (typeof LIVE_STATES)[number];
export type EndedState = (typeof ENDED_STATES)[number];
export type DispatchState = LiveState | EndedState;

export const LANES = ['control', 'normal', 'bulk'] as const;
export type Lane = (typeof LANES)[number];

/**
 * What becomes of a command while its broker is away. `until`: it waits until its deadline. `now_or_fail`: it goes
 * out on the link that the broker has, or fails. `on_attach`: the same with the link that the broker has, or else
 * the next one. `latest_only`: it waits, and a later one of its key takes its place.
 */
export const CONTRACTS = ['until', 'now_or_fail', 'on_attach', 'latest_only'] as const;
export type Contract = (typeof CONTRACTS)[number];

/** Contracts that bind a command to one link: without it the command fails rather than wait for another. */
export const LINK_BOUND: readonly Contract[] = ['now_or_fail', 'on_attach'];

export type Happening =
  /** An owner takes it for the wire. */
  | 'claim'
  /** The broker says that its journal holds it. */
  | 'ack'
  /** The broker's inventory says that its journal holds it. */
  | 'adopt'
  /** The broker's inventory knows it by an earlier attempt: it goes out again, in the one that counts. */
  | 'resend'
  /** The broker's inventory says that it was never begun, or it was begun, lost, and may be begun again. */
  | 'requeue'
  | 'succeed'
  /** The broker's word that it failed, or nobody's word whether it was done. */
  | 'fail'
  /** The broker's word that it failed in a way that may pass: it goes out again after a rest. */
  | 'retry'
  /** Its caller gave it up, and it was not sent, or the broker says that it stopped it. */
  | 'cancel'
  /** A later command of its key takes its place. */
  | 'supersede'
  /** The one link that it was bound to has ended, and it was not begun. */
  | 'lapse'
  | 'expire'
  /** It failed, or was begun and lost, as often as it may. */
  | 'exhaust';

type Rule = { from: readonly LiveState[]; to: DispatchState };

const RULES: Readonly<Record<Happening, Rule>> = {
  claim: { from: ['pending'], to: 'claimed' },
  ack: { from: ['claimed'], to: 'running' },
  adopt: { from: ['claimed', 'running'], to: 'running' },
  resend: { from: ['claimed'], to: 'claimed' },
  requeue: { from: ['claimed', 'running'], to: 'pending' },
  succeed: { from: ['claimed', 'running'], to: 'succeeded' },
  fail: { from: ['claimed', 'running'], to: 'failed' },
  retry: { from: ['claimed', 'running'], to: 'pending' },
  cancel: { from: ['pending', 'claimed', 'running'], to: 'cancelled' },
  supersede: { from: ['pending'], to: 'cancelled' },
  lapse: { from: ['pending', 'claimed'], to: 'failed' },
  expire: { from: ['pending', 'claimed', 'running'], to: 'expired' },
  exhaust: { from: ['claimed', 'running'], to: 'dead' },
};

/** Everything that may happen to a dispatch. */
export const HAPPENINGS = Object.keys(RULES) as readonly Happening[];

/** The state that a happening leads to, or undefined where it cannot happen in this one. */
export function transition(state: DispatchState, happening: Happening): DispatchState | undefined {
  const { from, to } = RULES[happening];
  return (from as readonly DispatchState[]).includes(state) ? to : undefined;
}

/** The states in which something may happen: the fence of every statement that makes it happen. */
export function statesBefore(happening: Happening): readonly LiveState[] {
  return RULES[happening].from;
}

export function stateAfter(happening: Happening): DispatchState {
  return RULES[happening].to;
}

/** The state after each happening, for statements in which rows decide what happens to them. */
export const STATES_AFTER: Readonly<Record<Happening, DispatchState>> = Object.fromEntries(
  Object.entries(RULES).map(([happening, { to }]) => [happening, to]),
) as Record<Happening, DispatchState>;
/** The same as a statement is given it. */
export const STATES_AFTER_JSON = JSON.stringify(STATES_AFTER);

export function hasEnded(state: DispatchState): state is EndedState {
  return (ENDED_STATES as readonly DispatchState[]).includes(state);
}
