import type { Violation } from '../proof/rule.js';

/** How a drain came to its end: all brokers moved, some were let go of, or there was nobody to take them over. */
export const ROLLOUT_OUTCOMES = ['moved', 'deadline', 'alone'] as const;
export type RolloutOutcome = (typeof ROLLOUT_OUTCOMES)[number];

/** The steps of a drain, in their order; of the two in the middle one. */
export const DRAIN_STEPS = [
  'announced',
  'lingered',
  'asked_brokers',
  'brokers_moved',
  'deadline',
  'released',
] as const;
export type DrainStep = (typeof DRAIN_STEPS)[number];

/** Where the drain was, and what was there then. */
export type RolloutStep = {
  step: DrainStep;
  /** Milliseconds since the drain began. */
  ms: number;
  brokers: number;
  /** Commands that were out with these brokers. */
  inFlight: number;
};

/** How long one broker was without an owner. */
export type Gap = { broker: { id: string; name: string }; ms: number };

/** What became of the brokers and commands of a replica that drained. */
export type RolloutReport = {
  /** Whether nothing was lost, duplicated or reordered, nor seen to be wrong in another way, and all could be judged. */
  clean: boolean;
  /** Brokers that another replica took over. */
  moved: number;
  /** Of these, those whose link was cut at the deadline. */
  letGo: number;
  /** Brokers that said goodbye for themselves and have not come back. */
  left: number;
  /** Brokers that nobody owned when this was written. */
  unowned: number;
  gapMs: { p50: number; p99: number; max: number };
  /** The longest of each broker, longest first; at most 1,000. */
  gaps: Gap[];
  /** Commands that were alive at some time of the drain. */
  commands: number;
  live: number;
  lost: number;
  duplicated: number;
  reordered: number;
  irregular: number;
  /** Endings that say that nobody knows whether it was done: honest, and not a fault. */
  unknown: number;
  unknownIds: string[];
  /** The first 100. */
  violations: Violation[];
  /** false where there were more commands than are judged. */
  isWhole: boolean;
};

/** A drain as its row tells of it. */
export type RolloutRow = {
  id: string;
  replicaId: string;
  replicaName: string;
  software: string;
  begunAt: Date;
  endedAt: Date | null;
  outcome: RolloutOutcome | null;
  steps: RolloutStep[];
  judgedAt: Date | null;
  report: RolloutReport | null;
};
