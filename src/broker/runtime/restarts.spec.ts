import { describe, expect, it } from '@jest/globals';
import { RESTARTS, type RestartPolicy } from '../../protocol/op.js';
import { backoffMs, Restarts } from './restarts.js';

const crash = { isFailure: true, ranMs: 10 };
const success = { isFailure: false, ranMs: 10 };

const of = (policy: RestartPolicy['policy'], maxRestarts = 1_000) =>
  new Restarts({ policy, maxRestarts }, (inARow) => inARow);

describe('the restarts of a run', () => {
  it.each([
    ['never', 'over', 'over'],
    ['on-failure', 'over', 'again'],
    ['always', 'again', 'again'],
  ] as const)('under the policy %s: after a success %s, after a failure %s', (policy, good, bad) => {
    expect(of(policy).judge(success, 0).kind).toBe(good);
    expect(of(policy).judge(crash, 0).kind).toBe(bad);
  });

  it('are no more within the window than allowed, and possible again once the oldest is out of it', () => {
    const restarts = of('always', 2);
    restarts.judge(crash, 0);
    restarts.judge(crash, 1_000);

    expect(restarts.judge(crash, RESTARTS.windowMs - 1).kind).toBe('gave_up');
    expect(restarts.judge(crash, RESTARTS.windowMs).kind).toBe('again');
    expect(restarts.judge(crash, RESTARTS.windowMs).kind).toBe('gave_up');
  });

  it('wait longer each time, and begin anew after a run that was well', () => {
    const restarts = of('on-failure');
    const waits = [10, 10, 10, RESTARTS.healthyMs - 1, RESTARTS.healthyMs, 10].map((ranMs) =>
      restarts.judge({ isFailure: true, ranMs }, 0),
    );

    expect(waits).toMatchObject([0, 1, 2, 3, 0, 1].map((afterMs) => ({ afterMs })));
  });

  it.each([
    [0, RESTARTS.baseMs],
    [3, 8 * RESTARTS.baseMs],
    [1_000, RESTARTS.capMs],
  ])('wait anything from nothing after %i in a row to %i ms', (inARow, mostMs) => {
    const waits = Array.from({ length: 2_000 }, () => backoffMs(inARow));

    expect(Math.max(...waits)).toBeLessThan(mostMs);
    expect(Math.max(...waits)).toBeGreaterThan(0.9 * mostMs);
    expect(Math.min(...waits)).toBeLessThan(0.1 * mostMs);
  });
});
