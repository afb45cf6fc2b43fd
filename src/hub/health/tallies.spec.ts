import { describe, expect, it } from '@jest/globals';
import type { Lane } from '../dispatch/state.js';
import type { StepRows } from '../dispatch/steps.js';
import { Distribution } from './distribution.js';
import { ACKS_MOST, Tallies, TIMED } from './tallies.js';

const ping = { id: 'd', op: 'broker.ping', lane: 'normal' as const, attempt: 1, traceparent: null };
const [TRACE, SPAN] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
const SAMPLED = `00-${TRACE}-${SPAN}-01`;
const claimed = (part: object = {}) =>
  ({ ...ping, claimedAt: performance.now(), ageS: 0.2, ...part }) as StepRows['claimed'];
const ended = (part: object = {}) =>
  ({ ...ping, state: 'succeeded', ageS: 2, outS: 1.5, ...part }) as StepRows['ended'];

function tallyOf(tallies: Tallies, op: string, lane: string) {
  const found = tallies.all().filter((tally) => tally.op === op && tally.lane === lane);
  if (found[0] === undefined || found.length > 1) throw new Error('a tally that is not there once');
  return found[0];
}
const pings = (tallies: Tallies) => tallyOf(tallies, 'broker.ping', 'normal');

describe('what is counted of the steps of commands', () => {
  it.each(['accepted', 'released', 'adopted', 'put_back', 'retried', 'cancel_asked', 'late'] as const)(
    'is each command that was %s, under its op and lane',
    (step) => {
      const tallies = new Tallies();

      const tell = tallies[step] as (rows: { op: string; lane: Lane }[]) => void;
      tell([ping, ping, { ...ping, op: 'agent.stop', lane: 'control' }]);

      expect(pings(tallies).steps[step]).toBe(2);
      expect(tallyOf(tallies, 'agent.stop', 'control').steps[step]).toBe(1);
      const total = tallies.all().flatMap(({ steps }) => Object.values(steps));
      expect(total.reduce((sum, count) => sum + count)).toBe(3);
    },
  );

  it('is every attempt, and how long a command waited for the first', () => {
    const tallies = new Tallies();

    tallies.claimed([claimed(), claimed({ attempt: 2, ageS: 300 })]);

    expect(pings(tallies).steps.claimed).toBe(2);
    expect(pings(tallies).seconds.accept_to_claim).toMatchObject({ count: 1, sum: 0.2 });
  });

  it('is every ack, and its time where the claim is known', () => {
    const tallies = new Tallies();

    tallies.acked([claimed({ claimedAt: performance.now() - 40 }), claimed({ claimedAt: null })]);

    const { steps, seconds } = pings(tallies);
    expect(steps.acked).toBe(2);
    expect(seconds.claim_to_ack.count).toBe(1);
    expect(seconds.claim_to_ack.sum).toBeGreaterThanOrEqual(0.04);
    expect(seconds.claim_to_ack.sum).toBeLessThan(1);
  });

  it('is every ending by its outcome, with its attempts and times; what was never out has no time of that', () => {
    const tallies = new Tallies();

    tallies.ended([ended({ attempt: 3 }), ended({ state: 'cancelled', attempt: 0, outS: null })]);

    const { ended: outcomes, attempts, seconds } = pings(tallies);
    expect(outcomes).toEqual({ succeeded: 1, failed: 0, cancelled: 1, expired: 0, dead: 0 });
    expect(attempts).toMatchObject({ count: 2, sum: 3 });
    expect(seconds.accept_to_end).toMatchObject({ count: 2, sum: 4 });
    expect(seconds.claim_to_end).toMatchObject({ count: 1, sum: 1.5 });
  });

  it('is the time from the ack to the end, where the attempt that ended was acked here', () => {
    const tallies = new Tallies();
    const [slow, again, never] = ['slow', 'again', 'never'].map((id) => ({ id }));

    tallies.acked([claimed(slow), claimed(again)]);
    tallies.ended([ended(slow), ended({ ...again, attempt: 2 }), ended(never), ended(slow)]);

    const { count, sum } = pings(tallies).seconds.ack_to_end;
    expect(count).toBe(1);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(1);
  });

  it.each(['put_back', 'retried'] as const)('is of no attempt that was %s meanwhile', (step) => {
    const tallies = new Tallies();
    const tell = tallies[step] as (rows: (typeof ping)[]) => void;

    tallies.acked([claimed()]);
    tell([ping]);
    tallies.ended([ended()]);

    expect(pings(tallies).seconds.ack_to_end.count).toBe(0);
  });

  it('forgets the oldest acks past its bound', () => {
    const tallies = new Tallies();

    tallies.acked(Array.from({ length: ACKS_MOST + 1 }, (_none, n) => claimed({ id: `${n}` })));
    tallies.ended([ended({ id: '0' }), ended({ id: '1' }), ended({ id: `${ACKS_MOST}` })]);

    expect(pings(tallies).seconds.ack_to_end.count).toBe(2);
  });

  describe('with the trace that each time was measured in', () => {
    const told = (tallies: Tallies, traceparent: string | null) => {
      tallies.claimed([claimed({ traceparent })]);
      tallies.acked([claimed({ traceparent })]);
      tallies.ended([ended({ traceparent })]);
      return Object.values(pings(tallies).seconds).map((times) =>
        times.cumulative().flatMap(({ exemplar }) => exemplar?.labelSet ?? []),
      );
    };

    it('names it where traces are exported from here', () => {
      expect(told(new Tallies(true), SAMPLED)).toEqual(TIMED.map(() => [{ trace_id: TRACE, span_id: SPAN }]));
    });

    it.each<[string, boolean, string | null]>([
      ['none are exported from here, though the caller has one', false, SAMPLED],
      ['it is left out of the sample', true, SAMPLED.replace(/01$/, '00')],
      ['the command came without one', true, null],
    ])('names none where %s', (_case, isTraced, traceparent) => {
      expect(told(new Tallies(isTraced), traceparent)).toEqual(TIMED.map(() => []));
    });
  });

  it('is told as `other` where this release does not know the op', () => {
    const tallies = new Tallies();

    tallies.accepted([{ ...ping, op: 'agent.of_tomorrow' }]);

    expect(tallyOf(tallies, 'other', 'normal').steps.accepted).toBe(1);
    expect(tallies.all().map(({ op }) => op)).not.toContain('agent.of_tomorrow');
  });
});

describe('a distribution', () => {
  it('counts a value with the lowest bound that it does not exceed, and with all above', () => {
    const distribution = new Distribution([1, 2, 5]);

    for (const value of [1, 1.5, 5, 6]) distribution.take(value);

    expect(distribution.cumulative().map(({ bound, count }) => [bound, count])).toEqual([
      [1, 1],
      [2, 2],
      [5, 3],
      [Infinity, 4],
    ]);
    expect(distribution).toMatchObject({ count: 4, sum: 13.5 });
  });

  it('has in each bucket the latest value whose trace is in the sample, and none of another bucket', () => {
    const distribution = new Distribution([1, 2]);

    distribution.take(0.5, SAMPLED);
    distribution.take(0.7, SAMPLED.replace(TRACE, SPAN.repeat(2)));
    distribution.take(0.9, SAMPLED.replace(/01$/, '00'));
    distribution.take(1.5);
    distribution.take(7, SAMPLED);

    expect(distribution.cumulative().map(({ exemplar }) => exemplar)).toEqual([
      { labelSet: { trace_id: SPAN.repeat(2), span_id: SPAN }, value: 0.7, timestamp: expect.any(Number) },
      undefined,
      { labelSet: { trace_id: TRACE, span_id: SPAN }, value: 7, timestamp: expect.any(Number) },
    ]);
  });

  it('takes what lies below zero for zero, so that its sum never falls', () => {
    const distribution = new Distribution([1]);

    distribution.take(-3);

    expect(distribution).toMatchObject({ count: 1, sum: 0 });
  });
});
