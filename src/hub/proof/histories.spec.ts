import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { at, BROKER, idAt } from '../../../test/support/history.js';
import { histories, type History } from '../../../test/support/random-history.js';
import type { TrailFacts, TrailStep } from '../dispatch/record.js';
import { ENDED_STATES, hasEnded } from '../dispatch/state.js';
import { readAnswer } from './answer.js';
import { Checker } from './checker.js';
import { readFacts } from './facts.js';
import { RULES, type Rule } from './rule.js';
import { readWitness } from './witness.js';

function verdictOn({ dispatches, effects, answers }: History) {
  const checker = new Checker({ hasEffects: true, hasAnswers: true });
  for (const effect of effects) checker.addEffect(readWitness(effect, 'a test'));
  for (const answer of answers) checker.addAnswer(readAnswer(answer, 'a test'));
  for (const facts of dispatches) checker.take(readFacts(facts, 'a test'));
  return checker.finish();
}

type Mutation = {
  rule: Rule;
  /** @returns false where there is nothing in this history that could be changed so */
  change: (history: History, pick: <T>(from: readonly T[]) => T | undefined) => boolean;
};

const claimed = ({ trail }: TrailFacts) => trail.find(({ state }) => state === 'claimed');
const ended = ({ dispatches }: History) => dispatches.filter(({ state }) => hasEnded(state));
const sent = ({ dispatches }: History) => dispatches.filter((facts) => claimed(facts) !== undefined);
const msOf = (time: string | undefined) => Date.parse(time ?? '');
const timeOf = (ms: number) => new Date(ms).toISOString();

/** Pairs of one key, the first of which started before the second. */
function pairsOf(history: History): [TrailFacts, TrailFacts][] {
  const keyed = sent(history).filter(({ orderingKey }) => orderingKey !== null);
  return keyed.flatMap((first) =>
    keyed
      .filter((second) => second.orderingKey === first.orderingKey)
      .filter((second) => msOf(claimed(first)?.at) < msOf(claimed(second)?.at))
      .map((second): [TrailFacts, TrailFacts] => [first, second]),
  );
}

/** Each changes one thing in what the hub, a witness or a client told. */
const MUTATIONS: Record<string, Mutation> = {
  'the claim is left out of a trail': {
    rule: 'attempts_grow',
    change: (history, pick) => {
      const facts = pick(
        sent(history).filter(
          ({ attempt, state }) => attempt === 1 && state !== 'expired' && state !== 'claimed',
        ),
      );
      if (facts === undefined) return false;
      facts.trail = facts.trail.filter(({ state }) => state !== 'claimed');
      return true;
    },
  },
  'the beginning is left out of a trail': {
    rule: 'legal_path',
    change: (history, pick) =>
      pick(history.dispatches.filter(({ trail }) => trail.length > 1))?.trail.shift() !== undefined,
  },
  'the ending is left out of a trail': {
    rule: 'one_ending',
    change: (history, pick) => pick(ended(history))?.trail.pop() !== undefined,
  },
  'a trail goes on after its ending': {
    rule: 'one_ending',
    change: (history, pick) => {
      const facts = pick(ended(history));
      const last = facts?.trail.at(-1);
      if (facts === undefined || last === undefined) return false;
      facts.trail.push({ ...last, state: pick(ENDED_STATES) ?? 'failed' });
      return true;
    },
  },
  'a row has another ending': {
    rule: 'legal_path',
    change: (history, pick) => {
      const facts = pick(ended(history));
      if (facts !== undefined) facts.state = facts.state === 'failed' ? 'dead' : 'failed';
      return facts !== undefined;
    },
  },
  'a row stays behind': {
    rule: 'one_ending',
    change: (history, pick) => {
      const facts = pick(ended(history));
      if (facts !== undefined) facts.records = 2;
      return facts !== undefined;
    },
  },
  'a step is earlier than the one before it': {
    rule: 'times_grow',
    change: (history, pick) => {
      const facts = pick(history.dispatches.filter(({ trail }) => trail.length > 1));
      const index = pick(facts?.trail.map((_step, place) => place).slice(1) ?? []) ?? 0;
      const [before, step] = [facts?.trail[index - 1], facts?.trail[index]];
      if (before === undefined || step === undefined) return false;
      step.at = timeOf(msOf(before.at) - 1);
      return true;
    },
  },
  'a step is of an older connection': {
    rule: 'epochs_grow',
    change: (history, pick) => change(pick(steps(history)), (step) => (step.epoch = 0), isNotFirst),
  },
  'a replica claims that owns the broker no more': {
    rule: 'owners_in_turn',
    change: (history, pick) => {
      const claims = steps(history).filter(
        ({ step }) => step.state === 'claimed' && step.reason === undefined,
      );
      const place = pick(claims);
      const later = claims.filter(({ step }) => msOf(step.at) > msOf(place?.step.at));
      if (place === undefined || later.length === 0) return false;
      place.step.epoch = 1 + Math.max(...claims.map(({ step }) => step.epoch ?? 0));
      return true;
    },
  },
  'another replica claims under the same connection': {
    rule: 'owners_in_turn',
    change: (history, pick) => {
      const claims = steps(history).filter(
        ({ step }) => step.state === 'claimed' && step.reason === undefined,
      );
      const place = pick(claims);
      const isAmongOthers = claims.some((each) => each !== place && each.step.epoch === place?.step.epoch);
      if (place === undefined || !isAmongOthers) return false;
      place.step.replica = BROKER;
      return true;
    },
  },
  'a step is of another attempt': {
    rule: 'attempts_grow',
    change: (history, pick) =>
      change(pick(steps(history)), (step) => (step.attempt = (step.attempt ?? 0) + 1)),
  },
  'a row counts another attempt': {
    rule: 'attempts_grow',
    change: (history, pick) => {
      const facts = pick(history.dispatches);
      if (facts !== undefined) facts.attempt += 1;
      return facts !== undefined;
    },
  },
  'a dispatch starts while another of its key is out': {
    rule: 'key_in_turn',
    change: (history, pick) => {
      const [first, second] = pick(pairsOf(history)) ?? [];
      if (first === undefined || second === undefined) return false;
      // The whole of it is moved, so that its times go on growing.
      const ms = msOf(claimed(second)?.at) - msOf(claimed(first)?.at);
      const moved = (time: string) => timeOf(msOf(time) - ms);
      second.createdAt = moved(second.createdAt);
      for (const step of second.trail) step.at = moved(step.at);
      return true;
    },
  },
  'a dispatch starts before another that was accepted before it was asked for': {
    rule: 'order_as_promised',
    change: (history, pick) => {
      const [first, second] = pick(pairsOf(history)) ?? [];
      const [ofFirst, ofSecond] = [first, second].map((facts) =>
        history.answers.filter((told) => told.dispatchId === facts?.id),
      );
      for (const told of ofFirst ?? []) told.submittedAt = at(5_000);
      for (const told of ofSecond ?? []) told.answeredAt = at(4_000);
      return first !== undefined;
    },
  },
  'an effect is missing': {
    rule: 'effect_missing',
    change: (history, pick) => {
      const facts = pick(history.dispatches.filter(({ state }) => state === 'succeeded'));
      history.effects = history.effects.filter(({ dispatchId }) => dispatchId !== facts?.id);
      return facts !== undefined;
    },
  },
  'an effect is there twice': {
    rule: 'effect_once',
    change: (history, pick) => {
      const isFinal = ({ trail }: TrailFacts) => !trail.some(({ reason }) => reason === 'begun_and_lost');
      const once = new Set(history.dispatches.filter(isFinal).map(({ id }) => id));
      const effect = pick(history.effects.filter(({ dispatchId }) => once.has(dispatchId)));
      if (effect !== undefined) history.effects.push({ ...effect });
      return effect !== undefined;
    },
  },
  'an effect is of nothing on record': {
    rule: 'effect_accounted',
    change: (history, pick) => {
      const effect = pick(history.effects);
      if (effect !== undefined) history.effects.push({ ...effect, dispatchId: idAt(9_000) });
      return effect !== undefined;
    },
  },
  'an effect is of what was never sent': {
    rule: 'effect_accounted',
    change: (history, pick) => {
      const facts = pick(history.dispatches.filter((each) => claimed(each) === undefined));
      if (facts === undefined) return false;
      history.effects.push({ dispatchId: facts.id, at: at(1), brokerId: facts.broker.id, op: facts.op });
      return true;
    },
  },
  'a client was told another ending': {
    rule: 'answer_true',
    change: (history, pick) => {
      const told = pick(history.answers.filter(({ state }) => state !== 'pending'));
      if (told !== undefined) told.state = told.state === 'failed' ? 'dead' : 'failed';
      return told !== undefined;
    },
  },
  'two clients were told of the command of the other': {
    rule: 'answer_true',
    change: (history, pick) => {
      const [first] = history.dispatches;
      const second = pick(history.dispatches.slice(1));
      if (first === undefined || second === undefined) return false;
      const other = new Map([
        [first.id, second.id],
        [second.id, first.id],
      ]);
      for (const told of history.answers) told.dispatchId = other.get(told.dispatchId) ?? told.dispatchId;
      return true;
    },
  },
  'a client whose connection held was told nothing certain': {
    rule: 'answer_known',
    change: (history, pick) => {
      const told = pick(history.answers);
      if (told !== undefined) told.state = 'unknown';
      return told !== undefined;
    },
  },
  'an accepted dispatch is on record nowhere': {
    rule: 'accepted_on_record',
    change: (history, pick) => {
      const facts = pick(history.dispatches);
      history.dispatches = history.dispatches.filter((each) => each !== facts);
      return facts !== undefined;
    },
  },
};

type Place = { step: TrailStep; index: number };

/** Steps that tell an epoch and an attempt. */
function steps({ dispatches }: History): Place[] {
  return dispatches.flatMap(({ trail }) => trail.map((step, index) => ({ step, index })).slice(1));
}

const isNotFirst = ({ index }: Place) => index > 1;

function change(
  place: Place | undefined,
  apply: (step: TrailStep) => void,
  isFit: (place: Place) => boolean = () => true,
) {
  if (place === undefined || !isFit(place)) return false;
  apply(place.step);
  return true;
}

describe('the proof', () => {
  it('finds nothing in any history that the transition function allows', () => {
    fc.assert(
      fc.property(histories, (history) => {
        expect(verdictOn(history).violations).toEqual([]);
      }),
      { numRuns: 600 },
    );
  });

  it.each(Object.entries(MUTATIONS))('finds in any history that %s', (_name, { rule, change }) => {
    let changed = 0;
    fc.assert(
      fc.property(histories, fc.nat(1_000), (history, chance) => {
        const pick = <T>(from: readonly T[]): T | undefined => from[chance % Math.max(1, from.length)];
        const mutated = structuredClone(history);
        if (!change(mutated, pick)) return;
        changed += 1;
        expect(Object.keys(verdictOn(mutated).byRule)).toContain(rule);
      }),
      { numRuns: 600 },
    );
    expect(changed).toBeGreaterThan(20);
  });

  it('has a change here for each rule, but those that two lines of a test show better', () => {
    const shown = new Set<string>(Object.values(MUTATIONS).map(({ rule }) => rule));

    expect(Object.keys(RULES).filter((rule) => !shown.has(rule))).toEqual(['settled', 'one_dispatch_a_key']);
  });
});
