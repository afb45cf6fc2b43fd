import { describe, expect, it } from '@jest/globals';
import { at, BROKER, dispatchOf, idAt, REPLICA, succeeded, UNKNOWN } from '../../../test/support/history.js';
import { RESENT, type TrailFacts, type TrailStep } from '../dispatch/record.js';
import { LIVE_STATES, stateAfter } from '../dispatch/state.js';
import { Checker, type CheckerOptions } from './checker.js';
import { readFacts } from './facts.js';
import type { Rule } from './rule.js';

const CLEAN = { clean: true, violationCount: 0, violations: [] };

function verdictOn(history: TrailFacts[], options: CheckerOptions = {}) {
  const checker = new Checker(options);
  const ordered = [...history].sort((one, other) => (one.id < other.id ? -1 : 1));
  for (const facts of ordered) checker.take(readFacts(facts, 'a test'));
  return checker.finish();
}

/** Each rule that was broken, with the dispatch that broke it. */
function broken(history: TrailFacts[], options?: CheckerOptions): [Rule, string | null][] {
  return verdictOn(history, options).violations.map(({ rule, dispatchId }) => [rule, dispatchId]);
}

const requeued = (reason: string): Partial<TrailStep> => ({ state: 'pending', reason });

describe('a trail', () => {
  const adopted: Partial<TrailStep> = { state: 'running', epoch: 2, reason: 'adopted' };

  it.each<[string, TrailFacts]>([
    ['of a success', succeeded(0)],
    ['whose result overtook its ack', dispatchOf(0, ['pending', 'claimed', 'succeeded'])],
    ['of a failure', dispatchOf(0, ['pending', 'claimed', 'running', 'failed'])],
    [
      'of one that was bound to a link that is over',
      dispatchOf(0, ['pending', { state: 'failed', reason: 'broker_offline' }]),
    ],
    [
      'of one that was adopted twice',
      dispatchOf(
        0,
        ['pending', 'claimed', adopted, { ...adopted, epoch: 3 }, 'failed'].map((step) =>
          step === 'failed' ? { state: 'failed', epoch: 3 } : step,
        ) as TrailStep[],
      ),
    ],
    [
      'of one that was put back and claimed again',
      dispatchOf(0, ['pending', 'claimed', requeued('never_begun'), 'claimed', 'running', 'succeeded']),
    ],
    [
      'of one that was sent again on another link, since its broker knew it by an earlier attempt',
      dispatchOf(0, [
        'pending',
        'claimed',
        requeued('op_failed'),
        'claimed',
        { state: 'claimed', epoch: 2, reason: RESENT },
        { state: 'running', epoch: 2 },
        { state: 'succeeded', epoch: 2 },
      ]),
    ],
    ['of one that expired before it was sent', dispatchOf(0, ['pending', 'expired'])],
    ['with a late result', dispatchOf(0, ['pending', 'claimed', 'expired', 'late_result'])],
    [
      'with a late result of an old attempt',
      dispatchOf(0, [
        'pending',
        'claimed',
        requeued('never_begun'),
        'claimed',
        'expired',
        { state: 'late_result', attempt: 1 },
      ]),
    ],
    ['that has not ended', dispatchOf(0, ['pending', 'claimed', 'running'])],
    ['that was used up', dispatchOf(0, ['pending', 'claimed', 'dead'], { error: UNKNOWN })],
  ])('%s is legal', (_case, facts) => {
    expect(verdictOn([facts])).toMatchObject(CLEAN);
  });

  it.each<[Rule, string, TrailFacts]>([
    ['legal_path', 'a result without a claim', dispatchOf(0, ['pending', 'succeeded'])],
    [
      'legal_path',
      'a beginning in the middle',
      dispatchOf(
        0,
        ['claimed', 'running', 'succeeded'].map((state, i) =>
          i === 0 ? { state, attempt: 1, epoch: 1 } : { state },
        ) as TrailStep[],
      ),
    ],
    [
      'legal_path',
      'a second claim of what is claimed',
      dispatchOf(0, ['pending', 'claimed', 'claimed', 'running', 'succeeded']),
    ],
    [
      'legal_path',
      'an ack after it was put back',
      dispatchOf(0, ['pending', 'claimed', requeued('never_begun'), 'running', 'succeeded']),
    ],
    [
      'legal_path',
      'a state that nobody knows',
      dispatchOf(0, ['pending', 'claimed', { state: 'lost' as 'failed' }, 'failed']),
    ],
    [
      'legal_path',
      'a row that is elsewhere',
      dispatchOf(0, ['pending', 'claimed', 'succeeded'], { state: 'failed' }),
    ],
    [
      'legal_path',
      'a failure of what is out with nobody',
      dispatchOf(0, ['pending', 'claimed', requeued('never_begun'), 'failed']),
    ],
    ['legal_path', 'no step at all', dispatchOf(0, [], { state: 'pending' })],
    [
      'legal_path',
      'a late result before the end',
      dispatchOf(0, ['pending', 'claimed', 'late_result', 'running', 'succeeded']),
    ],
    [
      'legal_path',
      'life after the end',
      dispatchOf(0, ['pending', 'claimed', 'succeeded', 'running'], { state: 'succeeded', endedAt: at(2) }),
    ],
    ['one_ending', 'two endings', dispatchOf(0, ['pending', 'claimed', 'succeeded', 'failed'])],
    ['one_ending', 'the same ending twice', dispatchOf(0, ['pending', 'claimed', 'succeeded', 'succeeded'])],
    [
      'one_ending',
      'an ended row whose trail has not ended',
      dispatchOf(0, ['pending', 'claimed'], { state: 'failed', endedAt: at(3) }),
    ],
    [
      'one_ending',
      'a live row whose trail has ended',
      dispatchOf(0, ['pending', 'claimed', 'failed'], { state: 'claimed', endedAt: null }),
    ],
    ['one_ending', 'an end without its time', succeeded(0, { endedAt: null })],
    ['one_ending', 'a row that was left behind', succeeded(0, { records: 2 })],
    [
      'times_grow',
      'a step before the one before it',
      dispatchOf(5, ['pending', 'claimed', { state: 'running', at: at(5.5) }, 'succeeded']),
    ],
    ['times_grow', 'a step before its creation', succeeded(5, { createdAt: at(6) })],
    [
      'epochs_grow',
      'a step of an older connection',
      dispatchOf(0, [
        'pending',
        { state: 'claimed', epoch: 3 },
        { state: 'running', epoch: 2 },
        { state: 'succeeded', epoch: 3 },
      ]),
    ],
    [
      'attempts_grow',
      'a claim that is no new attempt',
      dispatchOf(
        0,
        [
          'pending',
          'claimed',
          requeued('never_begun'),
          { state: 'claimed', attempt: 1 },
          { state: 'running', attempt: 1 },
          { state: 'succeeded', attempt: 1 },
        ],
        { attempt: 1 },
      ),
    ],
    [
      'attempts_grow',
      'an attempt that was left out',
      dispatchOf(0, ['pending', { state: 'claimed', attempt: 2 }, { state: 'succeeded', attempt: 2 }], {
        attempt: 2,
      }),
    ],
    [
      'attempts_grow',
      'an ack of another attempt',
      dispatchOf(0, ['pending', 'claimed', { state: 'running', attempt: 2 }, 'succeeded']),
    ],
    ['attempts_grow', 'a row that counted otherwise', succeeded(0, { attempt: 2 })],
  ])('breaks %s by %s', (rule, _case, facts) => {
    expect(broken([facts])).toContainEqual([rule, facts.id]);
  });

  it('that is given twice has two endings', () => {
    const facts = succeeded(0);

    expect(broken([facts, facts])).toEqual([['one_ending', facts.id]]);
  });

  it('may take every way that the transition function knows', () => {
    for (const from of LIVE_STATES.filter((state) => state !== 'pending')) {
      const way = from === 'claimed' ? ['claimed'] : ['claimed', 'running'];
      const history = (['succeed', 'fail', 'expire', 'exhaust'] as const).map((happening, index) =>
        dispatchOf(index * 10, ['pending', ...way, stateAfter(happening)] as TrailStep['state'][]),
      );
      expect(verdictOn(history)).toMatchObject(CLEAN);
    }
  });
});

describe('a trail that was summarised', () => {
  const cycle = (times: number): Partial<TrailStep>[] =>
    Array.from({ length: times }, () => [{ state: 'claimed' as const }, requeued('never_begun')]).flat();
  const whole = dispatchOf(0, ['pending', ...cycle(50), 'claimed', 'running', 'succeeded']);

  function summarised(facts: TrailFacts, first: number, last: number): TrailFacts {
    const { trail } = facts;
    const hidden = trail.slice(first, -last);
    const summary: TrailStep = { state: 'summarised', at: hidden.at(-1)?.at ?? '', count: hidden.length };
    return { ...facts, trail: [...trail.slice(0, first), summary, ...trail.slice(-last)] };
  }

  it('is legal, wherever it was cut', () => {
    for (const first of [30, 31]) {
      for (const last of [31, 32]) expect(verdictOn([summarised(whole, first, last)])).toMatchObject(CLEAN);
    }
  });

  it('is legal where late results pushed its ending out', () => {
    const late = dispatchOf(0, [
      'pending',
      'claimed',
      'failed',
      ...Array.from({ length: 80 }, () => 'late_result' as const),
    ]);

    expect(verdictOn([summarised(late, 2, 32)])).toMatchObject(CLEAN);
  });

  it('is still held to what can be seen', () => {
    const facts = summarised(whole, 31, 32);
    const broke = {
      ...facts,
      trail: facts.trail.map((step) => (step.state === 'running' ? { ...step, attempt: 3 } : step)),
    };
    const early = {
      ...facts,
      trail: facts.trail.map((step) => (step.state === 'running' ? { ...step, at: at(1) } : step)),
    };
    const twice = {
      ...facts,
      trail: [...facts.trail, { ...facts.trail.at(-1), state: 'failed' } as TrailStep],
    };

    expect(broken([broke])[0]).toEqual(['attempts_grow', facts.id]);
    expect(broken([early])[0]).toEqual(['times_grow', facts.id]);
    expect(broken([twice])).toContainEqual(['one_ending', facts.id]);
  });
});

describe('an ordering key', () => {
  const key = { orderingKey: 'web' };

  it('is held by one after the other', () => {
    expect(verdictOn([succeeded(0, key), succeeded(3, key), succeeded(6.5, key)])).toMatchObject(CLEAN);
  });

  it('is broken by one that starts while another is out', () => {
    const [first, second] = [succeeded(0, key), succeeded(1, key)];

    expect(broken([first, second])).toEqual([['key_in_turn', second.id]]);
  });

  it('is broken by one whose id is earlier than that of the one it overlaps', () => {
    const first = succeeded(5, key);
    const second = dispatchOf(6, ['pending', 'claimed', 'succeeded'], { ...key, id: idAt(1) });

    expect(broken([first, second])).toEqual([['key_in_turn', second.id]]);
  });

  it('is let go of with the ack, and not before, where the op says so', () => {
    const message = { ...key, op: 'agent.message' };
    const first = dispatchOf(
      0,
      ['pending', 'claimed', 'running', { state: 'succeeded', at: at(9) }],
      message,
    );

    expect(verdictOn([first, succeeded(2, key)])).toMatchObject(CLEAN);
    const second = dispatchOf(0.5, ['pending', 'claimed', 'succeeded'], key);
    expect(broken([first, second])).toEqual([['key_in_turn', second.id]]);
    expect(broken([{ ...first, op: 'agent.stop' }, succeeded(2, key)])).toHaveLength(1);
  });

  describe('of one that was put back', () => {
    const putBack = ['pending', 'claimed', requeued('never_begun'), 'claimed', 'succeeded'] as const;
    const first = dispatchOf(0, [...putBack], { ...key, seq: 1 });
    const between = ['pending', 'claimed', { state: 'succeeded', at: at(2.9) }] as const;

    it('is held against all that were stored later', () => {
      const second = dispatchOf(1.5, [...between], key);

      expect(broken([first, second])).toEqual([['key_in_turn', second.id]]);
    });

    it('may go first to one that was stored earlier', () => {
      const second = dispatchOf(1.5, [...between], { ...key, seq: 0 });

      expect(verdictOn([first, second])).toMatchObject(CLEAN);
    });

    it('is not free for one that was stored earlier while it is out', () => {
      const early = dispatchOf(0.5, ['pending', 'claimed', 'succeeded'], { ...key, seq: 0 });
      const late = dispatchOf(2.5, ['pending', 'claimed', 'succeeded'], { ...key, seq: 0 });
      const across = dispatchOf(1.5, ['pending', 'claimed', 'succeeded'], { ...key, seq: 0 });

      expect(broken([first, early])).toEqual([['key_in_turn', early.id]]);
      expect(broken([first, late])).toEqual([['key_in_turn', late.id]]);
      expect(broken([first, across])).toEqual([['key_in_turn', first.id]]);
    });

    it('is found to be taken by one that starts after a third has come and gone', () => {
      const inside = dispatchOf(1.5, [...between], { ...key, seq: 0 });
      const third = dispatchOf(2.5, ['pending', 'claimed', 'succeeded'], key);

      expect(broken([first, inside, third])).toEqual([['key_in_turn', third.id]]);
    });
  });

  it('that was let go of with an ack is no longer held when its dispatch is lost, and is again when it is put back', () => {
    const message = { ...key, op: 'agent.message' };
    const lost = [
      'pending',
      'claimed',
      'running',
      requeued('begun_and_lost'),
      'claimed',
      'succeeded',
    ] as const;
    const first = dispatchOf(0, [...lost], message);
    const [during, after] = [1.2, 2.5].map((s) => {
      const end = { state: 'succeeded' as const, at: at(s + 1.1) };
      return dispatchOf(s, ['pending', 'claimed', end], message);
    });

    expect(verdictOn([first, during as TrailFacts])).toMatchObject(CLEAN);
    expect(broken([first, after as TrailFacts])).toEqual([['key_in_turn', after?.id]]);
  });

  it('is no matter between brokers, without a key, or to what overtakes', () => {
    const other = { id: '0198f1a2-7c44-7e11-9d5e-dddddddddddd', name: 'build-2' };
    const history = [
      succeeded(0, key),
      succeeded(0.5, { ...key, broker: other }),
      succeeded(0.6, { ...key, lane: 'control' }),
      succeeded(0.7),
    ];

    expect(verdictOn(history)).toMatchObject(CLEAN);
  });

  it('is judged by whatever clock, also by one that is before the year of 1970', () => {
    const [first, second] = [succeeded(0, key), succeeded(1, key)].map(
      (facts) =>
        JSON.parse(
          JSON.stringify(facts).replaceAll('2026-', '1969-').replaceAll('000Z', '001Z'),
        ) as TrailFacts,
    );
    const { violations } = verdictOn([first as TrailFacts, second as TrailFacts]);

    expect(violations).toMatchObject([{ rule: 'key_in_turn', dispatchId: second?.id }]);
    expect(violations[0]?.seen).toContain('claimed at 1969-01-01T00:00:02.000001Z');
  });

  it('may have been let go of after it was read that it was held', () => {
    const held = dispatchOf(0, ['pending', 'claimed'], { ...key, readAt: at(4) });

    expect(verdictOn([held, succeeded(5, key)])).toMatchObject(CLEAN);
    expect(broken([{ ...held, readAt: at(9) }, succeeded(5, key)])).toMatchObject([
      ['key_in_turn', expect.anything()],
    ]);
  });
});

describe('the owner of a broker', () => {
  const OTHER = '0198f1a2-7c44-7e11-9d5e-dddddddddddd';
  const claimedBy = (s: number, epoch: number, replica = REPLICA, broker = BROKER) =>
    dispatchOf(
      s,
      [
        'pending',
        ...['claimed', 'running', 'succeeded'].map((state) => ({ state, epoch, replica }) as TrailStep),
      ],
      {
        broker: { id: broker, name: null },
      },
    );

  it('is one after another, whatever the order of the ids', () => {
    // The third was asked for first, and waited.
    const late = dispatchOf(0, [
      'pending',
      { state: 'claimed', epoch: 3, at: at(50) },
      { state: 'succeeded', epoch: 3, at: at(51) },
    ]);

    expect(
      verdictOn([claimedBy(10, 1), claimedBy(20, 2, OTHER), claimedBy(30, 2, OTHER), late]),
    ).toMatchObject(CLEAN);
    expect(verdictOn([claimedBy(10, 2), claimedBy(20, 1, REPLICA, OTHER)])).toMatchObject(CLEAN);
  });

  it.each<[string, TrailFacts]>([
    ['an earlier connection, of another command', claimedBy(30, 1)],
    ['the same connection, by another replica', claimedBy(30, 2, REPLICA)],
    [
      'a later connection, before',
      dispatchOf(5, ['pending', { state: 'claimed', epoch: 3 }, { state: 'succeeded', epoch: 3 }]),
    ],
  ])('does not claim under %s', (_which, facts) => {
    expect(broken([claimedBy(10, 1), claimedBy(20, 2, OTHER), facts]).map(([rule]) => rule)).toContain(
      'owners_in_turn',
    );
  });

  it('is known for as long as a claim under an earlier connection may come', () => {
    const hours = Array.from({ length: 2_500 }, (_, index) => claimedBy(index * 4, 1 + index));

    expect(verdictOn(hours)).toMatchObject(CLEAN);
    expect(broken([...hours, claimedBy(10_000, 1)])).toHaveLength(1);
    expect(broken([...hours, claimedBy(10_000, 2_400)])).toHaveLength(1);
  });
});

describe('a run', () => {
  it('counts what is live apart', () => {
    const history = [
      succeeded(0),
      dispatchOf(1, ['pending']),
      dispatchOf(2, ['pending', 'claimed', 'failed'], { error: UNKNOWN }),
    ];

    expect(verdictOn(history)).toMatchObject({
      ...CLEAN,
      dispatches: 3,
      ended: 2,
      live: 1,
      unknown: 1,
      states: { succeeded: 1, pending: 1, failed: 1 },
      effects: null,
      answers: null,
    });
  });

  it('is not settled while something is live', () => {
    const live = dispatchOf(0, ['pending', 'claimed', 'running']);

    expect(broken([live], { isSettled: true })).toEqual([['settled', live.id]]);
  });

  it('is looked at in part', () => {
    const [early, late] = [
      dispatchOf(0, ['pending', 'succeeded']),
      dispatchOf(100, ['pending', 'succeeded']),
    ];
    const from = { sinceMs: Date.parse(at(50)) };

    expect(broken([early, late], from)).toEqual([['legal_path', late.id]]);
    expect(broken([early, late], { untilMs: from.sinceMs })).toEqual([['legal_path', early.id]]);
    expect(broken([early, late], { broker: 'another' })).toEqual([]);
    expect(broken([early, late], { broker: BROKER })).toHaveLength(2);
    expect(broken([early, late], { broker: 'build-1' })).toHaveLength(2);
  });

  it('shows no more violations than can be read, and counts them all', () => {
    const verdict = verdictOn(
      Array.from({ length: 1_200 }, (_, s) => dispatchOf(s, ['pending', 'succeeded'])),
    );

    expect(verdict.violations).toHaveLength(1_000);
    expect(verdict).toMatchObject({
      clean: false,
      violationCount: 2_400 - 1_200,
      byRule: { legal_path: 1_200 },
    });
  });

  it('must come in the order of ids', () => {
    const checker = new Checker();
    checker.take(readFacts(succeeded(1), 'a test'));

    expect(() => checker.take(readFacts(succeeded(0), 'a test'))).toThrow(/order of ids/);
  });

  it('says of what came far too late that it could not be judged', () => {
    const key = { orderingKey: 'web' };
    const hours = Array.from({ length: 2_500 }, (_, index) => succeeded(index * 4, key));
    const late = succeeded(0, { ...key, id: idAt(11_000) });

    expect(verdictOn(hours)).toMatchObject(CLEAN);
    expect(verdictOn([...hours, late])).toMatchObject({ clean: false, unjudged: 1 });
  });
});
