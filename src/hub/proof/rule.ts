/**
 * What must hold of every dispatch, and of a run as a whole. The names are for programs and never change; the
 * sentences are for people.
 */
export const RULES = {
  legal_path: 'each step of a trail follows from the one before it, and the row stands where its trail ends',
  one_ending: 'what has ended has one ending, and is on record once',
  times_grow: 'no step is earlier than the one before it',
  epochs_grow: 'no step is of an older connection than the one before it',
  owners_in_turn: 'of one broker, one replica claims at a time, under one connection after another',
  attempts_grow: 'each claim is a new attempt, and every other step speaks of the latest',
  key_in_turn: 'of one ordering key, one dispatch is out at a time, and one that is put back keeps its turn',
  order_as_promised:
    'what was asked for after another was accepted does not start before that one lets go of the key',
  settled: 'nothing is left that has not ended',
  effect_missing: 'what succeeded was done',
  effect_once: 'nothing is done twice, except what may be repeated after its record was lost',
  effect_accounted: 'what was done is on record, of that broker and op, as done or as unknown',
  accepted_on_record: 'what was accepted is on record',
  answer_true: 'what a client was told is so',
  answer_known: 'only a client whose own connection was cut is left without an answer',
  one_dispatch_a_key: 'an idempotency key stands for one dispatch',
} as const satisfies Record<string, string>;

export type Rule = keyof typeof RULES;

export type Violation = {
  rule: Rule;
  /** null where no dispatch is known. */
  dispatchId: string | null;
  /** One sentence on what was found. */
  seen: string;
};

/** Told wherever a rule is seen to be broken. */
export type See = (rule: Rule, dispatchId: string | null, seen: string) => void;
