import { describe, expect, it } from '@jest/globals';
import { at, BROKER, dispatchOf, idAt, succeeded, UNKNOWN } from '../../../test/support/history.js';
import type { TrailFacts } from '../dispatch/record.js';
import { readAnswer } from './answer.js';
import { Checker, type CheckerOptions } from './checker.js';
import { readFacts } from './facts.js';
import type { Rule } from './rule.js';
import { readWitness } from './witness.js';

type Given = { effects?: object[]; answers?: object[] } & CheckerOptions;

/** Each rule that was broken, with the dispatch that broke it. */
function broken(history: TrailFacts[], { effects, answers, ...options }: Given): [Rule, string | null][] {
  const checker = new Checker({
    ...options,
    hasEffects: effects !== undefined,
    hasAnswers: answers !== undefined,
  });
  for (const effect of effects ?? []) checker.addEffect(readWitness(effect, 'a test'));
  for (const answer of answers ?? []) checker.addAnswer(readAnswer(answer, 'a test'));
  const ordered = [...history].sort((one, other) => (one.id < other.id ? -1 : 1));
  for (const facts of ordered) checker.take(readFacts(facts, 'a test'));
  return checker.finish().violations.map(({ rule, dispatchId }) => [rule, dispatchId]);
}

const effectOf = ({ id }: { id: string }, given: object = {}) => ({ dispatchId: id, at: at(2), ...given });
const TOO_LARGE = { ...UNKNOWN, code: 'result_too_large' };
const failed = (given: Partial<TrailFacts> = {}) => dispatchOf(0, ['pending', 'claimed', 'failed'], given);

describe('effects', () => {
  const effect = { ...UNKNOWN, code: 'deadline_passed' };
  const lostOnce = (op: string) =>
    dispatchOf(
      0,
      ['pending', 'claimed', { state: 'pending', reason: 'begun_and_lost' }, 'claimed', 'succeeded'],
      { op },
    );

  it.each<[string, TrailFacts, number]>([
    ['of a success, one', succeeded(0), 1],
    ['of a failure, none', failed({ error: { ...UNKNOWN, code: 'op_failed' } }), 0],
    ['of an unknown outcome, none', failed({ error: UNKNOWN }), 0],
    ['of an unknown outcome, one', failed({ error: UNKNOWN }), 1],
    [
      'of one that expired with an unknown effect, one',
      dispatchOf(0, ['pending', 'claimed', 'expired'], { error: { ...effect, data: { effect: 'unknown' } } }),
      1,
    ],
    ['of one that was used up, one', dispatchOf(0, ['pending', 'claimed', 'dead'], { error: UNKNOWN }), 1],
    ['of a result that was too large to be told, one', failed({ error: TOO_LARGE }), 1],
    ['of a result that was too large to be told, none', failed({ error: TOO_LARGE }), 0],
    ['of one that is out, one', dispatchOf(0, ['pending', 'claimed', 'running']), 1],
    ['of one that may be repeated and was lost once, two', lostOnce('agent.stop'), 2],
  ])('are as they should be: %s', (_case, facts, times) => {
    expect(broken([facts], { effects: Array.from({ length: times }, () => effectOf(facts)) })).toEqual([]);
  });

  it.each<[Rule, string, TrailFacts, number]>([
    ['effect_missing', 'a success without one', succeeded(0), 0],
    ['effect_once', 'a success with two', succeeded(0), 2],
    ['effect_once', 'an unknown outcome with two', failed({ error: UNKNOWN }), 2],
    ['effect_once', 'three of one that was lost once', lostOnce('agent.stop'), 3],
    ['effect_once', 'two of one that may not be repeated', lostOnce('agent.start'), 2],
    ['effect_once', 'a result that was too large to be told with two', failed({ error: TOO_LARGE }), 2],
    ['effect_accounted', 'a failure with one', failed({ error: { ...UNKNOWN, code: 'op_failed' } }), 1],
    ['effect_accounted', 'one that was never sent', dispatchOf(0, ['pending']), 1],
    [
      'effect_accounted',
      'one that expired and had none',
      dispatchOf(0, ['pending', 'expired'], { error: { ...effect, data: { effect: 'none' } } }),
      1,
    ],
  ])('break %s by %s', (rule, _case, facts, times) => {
    const effects = Array.from({ length: times }, () => effectOf(facts));

    expect(broken([facts], { effects })).toEqual([[rule, facts.id]]);
  });

  it('break effect_accounted by one of a dispatch that is not on record', () => {
    const unasked = { id: idAt(5) };

    expect(broken([], { effects: [effectOf(unasked)] })).toEqual([['effect_accounted', unasked.id]]);
    expect(broken([], { effects: [effectOf(unasked)], sinceMs: Date.parse(at(6)) })).toEqual([]);
    expect(broken([], { effects: [effectOf(unasked)], broker: BROKER })).toEqual([]);
    const ofBroker = [effectOf(unasked, { brokerId: BROKER })];
    for (const broker of [BROKER, 'build-1'])
      expect(broken([failed()], { effects: ofBroker, broker })).toEqual([['effect_accounted', unasked.id]]);
    expect(broken([failed()], { effects: ofBroker, broker: 'build-2' })).toEqual([]);
  });

  it.each([
    ['another broker', { brokerId: idAt(0) }],
    ['another op', { op: 'agent.stop' }],
  ])('break effect_accounted by one of %s', (_case, given) => {
    const facts = succeeded(0);

    expect(broken([facts], { effects: [effectOf(facts, given)] })).toEqual([['effect_accounted', facts.id]]);
  });

  it('are not asked for where none were to be written down', () => {
    expect(broken([succeeded(0)], {})).toEqual([]);
  });
});

describe('answers', () => {
  const answerOf = (facts: { id: string } | null, state: string, given: object = {}) => ({
    dispatchId: facts?.id,
    state,
    submittedAt: at(0),
    answeredAt: at(1),
    ...given,
  });
  const one = succeeded(0, { idempotencyKey: 'k-1' });
  const other = dispatchOf(0.5, ['pending', 'claimed', 'succeeded']);
  const unsent = dispatchOf(0.7, ['pending']);
  const keyed = succeeded(0.8, { idempotencyKey: 'k-2' });

  it.each<[string, object[]]>([
    ['accepted', [answerOf(one, 'pending')]],
    ['accepted, and its ending', [answerOf(one, 'claimed'), answerOf(one, 'succeeded')]],
    ['running, of which a crash of the database took the ack', [answerOf(other, 'running')]],
    ['nothing, over a cut connection', [answerOf(one, 'unknown', { cut: true })]],
    ['accepted, known by its key', [answerOf(null, 'pending', { idempotencyKey: 'k-1' })]],
    [
      'refused, and then accepted by the same key',
      [
        answerOf(null, 'refused', { idempotencyKey: 'k-1' }),
        answerOf(one, 'pending', { idempotencyKey: 'k-1' }),
      ],
    ],
    ['refused, of one that is not on record', [answerOf(null, 'refused', { idempotencyKey: 'k-9' })]],
    [
      'accepted, and later its ending, without a key',
      [answerOf(keyed, 'pending', { idempotencyKey: 'k-2' }), answerOf(keyed, 'succeeded')],
    ],
    ['the id of one that has no key on record', [answerOf(other, 'pending', { idempotencyKey: 'k-9' })]],
  ])('are true: %s', (_case, answers) => {
    expect(broken([one, other, keyed], { answers })).toEqual([]);
  });

  it('are true where one that was done again for somebody else is told to another request', () => {
    const again = succeeded(5, { idempotencyKey: 'k-1', redriveOf: idAt(1) });

    const answers = [answerOf(again, 'pending', { idempotencyKey: 'k-2' })];

    expect(broken([again], { answers })).toEqual([]);
  });

  it('break answer_true where two clients were told of the command of the other', () => {
    const answers = [
      answerOf(one, 'pending', { idempotencyKey: 'k-2' }),
      answerOf(keyed, 'pending', { idempotencyKey: 'k-1' }),
    ];

    expect(broken([one, keyed], { answers })).toEqual([
      ['answer_true', one.id],
      ['answer_true', keyed.id],
    ]);
  });

  it.each<[Rule, string, object[], string | null]>([
    ['answer_true', 'another ending', [answerOf(one, 'failed')], one.id],
    ['answer_true', 'a state it was never in', [answerOf(unsent, 'claimed')], unsent.id],
    ['answer_true', 'running, and never sent', [answerOf(unsent, 'running')], unsent.id],
    [
      'answer_true',
      'the id of the command of another, whose client was told of it as well',
      [
        answerOf(one, 'pending', { idempotencyKey: 'k-1' }),
        answerOf(one, 'pending', { idempotencyKey: 'k-9' }),
      ],
      one.id,
    ],
    ['answer_true', 'refused', [answerOf(null, 'refused', { idempotencyKey: 'k-1' })], one.id],
    ['answer_known', 'nothing, over a connection that held', [answerOf(one, 'unknown')], one.id],
    [
      'accepted_on_record',
      'accepted, and lost',
      [answerOf({ id: idAt(3) }, 'pending')],
      expect.anything() as unknown as string,
    ],
    [
      'accepted_on_record',
      'accepted by a key that nobody knows',
      [answerOf(null, 'pending', { idempotencyKey: 'k-3' })],
      null,
    ],
    [
      'one_dispatch_a_key',
      'two ids for a key',
      [
        answerOf(one, 'pending', { idempotencyKey: 'k-1' }),
        answerOf(other, 'pending', { idempotencyKey: 'k-1' }),
      ],
      other.id,
    ],
  ])('break %s by %s', (rule, _case, answers, id) => {
    expect(broken([one, other, unsent], { answers })).toEqual([[rule, id]]);
  });

  it('break one_dispatch_a_key where a repeat was done again', () => {
    const again = succeeded(5, { idempotencyKey: 'k-1' });
    const answers = [
      answerOf(null, 'unknown', { idempotencyKey: 'k-1', cut: true }),
      answerOf(again, 'succeeded', { idempotencyKey: 'k-1' }),
    ];

    expect(broken([one, again], { answers })).toEqual([['one_dispatch_a_key', again.id]]);
    const nextDay = succeeded(90_000, { idempotencyKey: 'k-1' });
    expect(
      broken([one, nextDay], { answers: [answerOf(nextDay, 'pending', { idempotencyKey: 'k-1' })] }),
    ).toEqual([]);
  });

  it('are let be where they are of others than were looked at', () => {
    const answers = [
      answerOf({ id: idAt(3) }, 'pending'),
      answerOf(null, 'pending', { idempotencyKey: 'k-9' }),
    ];

    expect(broken([], { answers, sinceMs: Date.parse(at(4)) })).toEqual([]);
  });
});

describe('order as it was promised', () => {
  const key = { orderingKey: 'web' };
  /** Asked for and accepted, in seconds of the client. */
  const told = ({ id }: TrailFacts, asked: number, accepted: number) => ({
    dispatchId: id,
    state: 'pending',
    submittedAt: at(asked),
    answeredAt: at(accepted),
  });
  const first = succeeded(0, key);
  const second = succeeded(4, key);

  it('holds for those that ran in the order in which they were asked for', () => {
    expect(broken([first, second], { answers: [told(first, 0, 1), told(second, 2, 3)] })).toEqual([]);
  });

  it('says nothing of two that were asked for at the same time', () => {
    expect(broken([first, second], { answers: [told(second, 0, 2), told(first, 1, 3)] })).toEqual([]);
  });

  it('is broken by one that starts before another that was accepted before it was asked for', () => {
    const answers = [told(second, 0, 1), told(first, 2, 3)];

    expect(broken([first, second], { answers })).toEqual([['order_as_promised', first.id]]);
  });

  it('does not go by ids, nor by the order in which rows were stored', () => {
    const early = succeeded(4, { ...key, id: idAt(0), seq: 1 });
    const late = succeeded(0, { ...key, id: idAt(1), seq: 2 });

    expect(broken([early, late], { answers: [told(early, 0, 1), told(late, 2, 3)] })).toEqual([
      ['order_as_promised', late.id],
    ]);
    expect(broken([early, late], { answers: [told(late, 0, 1), told(early, 2, 3)] })).toEqual([]);
  });

  it('is broken by one that passes another which waits, or ended without a start', () => {
    const waits = dispatchOf(0, ['pending'], { ...key, readAt: at(50) });
    const expired = dispatchOf(0, ['pending', { state: 'expired', at: at(30) }], { ...key, endedAt: at(30) });

    for (const passed of [waits, expired]) {
      const answers = [told(passed, 0, 1), told(second, 2, 3)];
      expect(broken([passed, second], { answers })).toEqual([['order_as_promised', second.id]]);
    }
    expect(broken([expired, succeeded(40, key)], { answers: [told(expired, 0, 1)] })).toEqual([]);
  });

  it('is no matter of one that was not due yet, and is once it is', () => {
    const [soon, later, last] = [succeeded(0, key), succeeded(4, key), succeeded(40, key)];
    // Stored before the others, and claimed after them.
    const resting = dispatchOf(
      0,
      ['pending', { state: 'claimed', at: at(60) }, { state: 'succeeded', at: at(61) }],
      {
        ...key,
        notBefore: at(30),
        endedAt: at(61),
      },
    );
    const answers = [told(resting, 0, 1), told(soon, 2, 3), told(later, 4, 5)];

    expect(broken([resting, soon, later], { answers })).toEqual([]);
    expect(broken([resting, soon, last], { answers: [...answers.slice(0, 2), told(last, 32, 33)] })).toEqual([
      ['order_as_promised', last.id],
    ]);
  });

  it('is a matter of the first that was asked for, however often it was asked for again', () => {
    const answers = [told(second, 0.5, 3), told(second, 8, 9), told(first, 2, 4), told(first, 5, 6)];

    expect(broken([first, second], { answers })).toEqual([]);
    expect(broken([first, second], { answers: [...answers, told(second, 0, 1)] })).toEqual([
      ['order_as_promised', first.id],
    ]);
  });
});
