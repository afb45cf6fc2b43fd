/**
 * The states of a dispatch and what may happen to it in each. This is the only place that says so: SQL is given
 * the states it may act on as parameters from here, and the schema's checks are compared with it by a test.
 */

export const LIVE_STATES = ['pending', 'claimed', 'running'] as const;
export const ENDED_STATES = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'] as const;

export type LiveState = (typeof LIVE_STATES)[number];
export type EndedState = (typeof ENDED_STATES)[number];
export type DispatchState = LiveState | EndedState;

export const LANES = ['control', 'normal', 'bulk'] as const;
export type Lane = (typeof LANES)[number];

export type Happening =
  /** An owner takes it for the wire. */
  | 'claim'
  /** The broker says that its journal holds it. */
  | 'ack'
  /** The broker's inventory says that its journal holds it. */
  | 'adopt'
  /** The broker's inventory says that it was never begun, or it was begun, lost, and may be begun again. */
  | 'requeue'
  | 'succeed'
  /** The broker's word that it failed, or nobody's word whether it was done. */
  | 'fail'
  | 'expire'
  /** It was begun and lost as often as it may be. */
  | 'exhaust';

type Rule = { from: readonly LiveState[]; to: DispatchState };

const RULES: Readonly<Record<Happening, Rule>> = {
  claim: { from: ['pending'], to: 'claimed' },
  ack: { from: ['claimed'], to: 'running' },
  adopt: { from: ['claimed', 'running'], to: 'running' },
  requeue: { from: ['claimed', 'running'], to: 'pending' },
  succeed: { from: ['claimed', 'running'], to: 'succeeded' },
  fail: { from: ['claimed', 'running'], to: 'failed' },
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

export function hasEnded(state: DispatchState): state is EndedState {
  return (ENDED_STATES as readonly DispatchState[]).includes(state);
}
