import type { Rule, See, Violation } from './rule.js';

/** Of more than this nobody reads each; they are still counted. */
const SHOWN = 1_000;

/** What a proof came to. */
export type Verdict = {
  /** Whether no rule was seen to be broken, and everything that was asked for could be judged. */
  clean: boolean;
  dispatches: number;
  ended: number;
  live: number;
  states: Record<string, number>;
  /** Endings that say that nobody knows whether it was done. */
  unknown: number;
  lateResults: number;
  /** Evidence from outside; null where none was given. */
  effects: number | null;
  answers: number | null;
  /** Dispatches whose turn among those of their key could not be judged. */
  unjudged: number;
  violationCount: number;
  byRule: Partial<Record<Rule, number>>;
  /** The first of them. */
  violations: Violation[];
};

/** Gathers what was seen, and keeps no more of it than can be read. */
export class Violations {
  count = 0;
  readonly byRule: Partial<Record<Rule, number>> = {};
  readonly shown: Violation[] = [];

  readonly see: See = (rule, dispatchId, seen) => {
    this.count += 1;
    this.byRule[rule] = (this.byRule[rule] ?? 0) + 1;
    if (this.shown.length < SHOWN) this.shown.push({ rule, dispatchId, seen });
  };
}
