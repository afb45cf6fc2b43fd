import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { changedOf } from '../../../test/support/changed.js';
import { at, BROKER, dispatchOf, idAt, succeeded, UNKNOWN } from '../../../test/support/history.js';
import { readAnswer } from './answer.js';
import { Checker } from './checker.js';
import { readFacts } from './facts.js';
import { Malformed } from './malformed.js';
import { RULES } from './rule.js';
import { readWitness } from './witness.js';

const WHERE = 'line 7';
const READERS = { trail: readFacts, effect: readWitness, answer: readAnswer };
type Kind = keyof typeof READERS;

const ID = idAt(5);
const SAMPLES = {
  trails: [
    succeeded(0, { orderingKey: 'web', idempotencyKey: 'k-1' }),
    dispatchOf(1, ['pending', 'claimed', { state: 'pending', reason: 'begun_and_lost' }, 'claimed', 'dead'], {
      error: { ...UNKNOWN, data: { effect: 'unknown' } },
      orderingKey: 'web',
    }),
  ],
  effects: [{ dispatchId: ID, at: at(2), brokerId: BROKER, op: 'agent.start' }],
  answers: [
    {
      ...{ dispatchId: ID, idempotencyKey: 'k-1', state: 'pending' },
      ...{ submittedAt: at(0), answeredAt: at(1), cut: true },
    },
  ],
};

/** @returns undefined where it cannot be read, for which nothing but `Malformed` may be thrown */
function taken<T>(read: (value: unknown, where: string) => T, value: unknown): T | undefined {
  try {
    return read(value, WHERE);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    expect(error.message).toMatch(/^line 7: /);
    return undefined;
  }
}

describe('evidence of which some fields are changed by chance', () => {
  it('is refused with the place at which it stands, or is judged: nothing that can be read ends the checker', () => {
    const seen = { read: 0, malformed: 0, judged: 0 };
    const evidence = fc.record({
      trails: fc.array(changedOf(SAMPLES.trails), { maxLength: 4 }),
      effects: fc.array(changedOf(SAMPLES.effects), { maxLength: 3 }),
      answers: fc.array(changedOf(SAMPLES.answers), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(evidence, ({ trails, effects, answers }) => {
        const facts = trails.flatMap((each) => taken(readFacts, each) ?? []);
        const checker = new Checker({ hasEffects: true, hasAnswers: true, isSettled: true });
        for (const each of effects.flatMap((one) => taken(readWitness, one) ?? [])) checker.addEffect(each);
        for (const each of answers.flatMap((one) => taken(readAnswer, one) ?? [])) checker.addAnswer(each);
        for (const each of facts.sort((one, other) => (one.id < other.id ? -1 : 1))) checker.take(each);
        const { violationCount, byRule, clean } = checker.finish();

        seen.read += facts.length;
        seen.malformed += trails.length - facts.length;
        seen.judged += violationCount;
        expect(clean).toBe(violationCount === 0);
        for (const rule of Object.keys(byRule)) expect(Object.keys(RULES)).toContain(rule);
      }),
      { numRuns: 1_000 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(300);
  });

  const corpus = JSON.parse(readFileSync('test/corpus/evidence.json', 'utf8')) as {
    kind: Kind;
    what: string;
    isTaken: boolean;
    value: unknown;
  }[];

  it.each(corpus.map((kept) => [kept.kind, kept.what, kept.isTaken ? 'taken' : 'refused', kept] as const))(
    'of the corpus: the %s with %s is %s',
    (_kind, _what, _said, { kind, value, isTaken }) => {
      expect(taken<object>(READERS[kind], value) !== undefined).toBe(isTaken);
    },
  );
});
