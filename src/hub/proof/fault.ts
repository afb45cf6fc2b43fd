import type { Rule } from './rule.js';
import type { Verdict } from './verdict.js';

/** What a broken rule means for whoever gave a command, in three words that everybody asks for, and a fourth for the rest. */
export const FAULTS = ['lost', 'duplicated', 'reordered', 'irregular'] as const;
export type Fault = (typeof FAULTS)[number];

const FAULT_OF: Readonly<Record<Rule, Fault>> = {
  settled: 'lost',
  effect_missing: 'lost',
  accepted_on_record: 'lost',
  one_ending: 'duplicated',
  attempts_grow: 'duplicated',
  effect_once: 'duplicated',
  effect_accounted: 'duplicated',
  one_dispatch_a_key: 'duplicated',
  key_in_turn: 'reordered',
  order_as_promised: 'reordered',
  epochs_grow: 'reordered',
  owners_in_turn: 'reordered',
  times_grow: 'reordered',
  legal_path: 'irregular',
  answer_true: 'irregular',
  answer_known: 'irregular',
};

/** How often each kind of fault was seen. */
export function faultsOf({ byRule }: Pick<Verdict, 'byRule'>): Record<Fault, number> {
  const counts = { lost: 0, duplicated: 0, reordered: 0, irregular: 0 };
  for (const [rule, count] of Object.entries(byRule)) counts[FAULT_OF[rule as Rule]] += count;
  return counts;
}
