import { describe, expect, it } from '@jest/globals';
import { FULL_AFTER_S, LIMIT_CLASSES, RATE_LIMITS, readRateLimits } from './rate-limits.js';

describe('the limits of callers', () => {
  it.each([
    ['read=100:600', { read: { perS: 100, burst: 600 } }],
    ['read=100', { read: { perS: 100, burst: 200 } }],
    [' write=off , login=1:600', { write: null, login: { perS: 1, burst: 600 } }],
    ['agent=5', { agent: { perS: 5, burst: 10 } }],
    ['agent_token=5:50,token=off', { agent_token: { perS: 5, burst: 50 }, token: null }],
    ['poll=500000:1000000', { poll: { perS: 500_000, burst: 1_000_000 } }],
  ])('are read from %j, and stay as they are where it names none', (text, named) => {
    expect(readRateLimits(text)).toEqual({ limits: { ...RATE_LIMITS, ...named } });
  });

  it('are none where they are off', () => {
    expect(readRateLimits('off')).toEqual({
      limits: Object.fromEntries(LIMIT_CLASSES.map((name) => [name, null])),
    });
  });

  it.each([
    '',
    'on',
    'read',
    'read=',
    'read=x',
    'read=0',
    'read=-1',
    'read=1.5',
    'reads=10',
    'agent-token=10',
    'agenttoken=10',
    'read=10,read=20',
    'read=10,',
    'read=10:9',
    'login=1:601',
    'read=1000001:1000001',
    'read=500001',
    'read=600000:1000001',
    '__proto__=1',
  ])('refuse %j by a rule that says what may stand there', (text) => {
    expect(readRateLimits(text)).toEqual({ rule: expect.stringContaining('class=perSecond:burst') });
  });

  it('leave no bucket that is not full by the time that it is forgotten', () => {
    for (const limit of Object.values(RATE_LIMITS)) {
      expect(limit!.burst).toBeLessThanOrEqual(limit!.perS * FULL_AFTER_S);
    }
  });
});
