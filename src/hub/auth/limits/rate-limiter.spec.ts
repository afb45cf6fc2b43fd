import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Limit, RateLimits } from '../../config/rate-limits.js';
import { Loops } from '../../lifecycle/loops.js';
import { RateLimited, RateUndecided } from '../auth.errors.js';
import type { RateBucketRepository } from './rate-bucket.repository.js';
import { RateLimiter } from './rate-limiter.js';

const LIMIT: Limit = { perS: 10, burst: 50 };

let nowMs: number;

beforeEach(() => {
  nowMs = 1_000_000;
  jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});

afterEach(() => {
  jest.restoreAllMocks();
});

/** A limiter before a common bucket that gives what it is told to. */
function make(
  lease: (want: number) => Promise<{ lease: number; tokens: number }>,
  limit: Limit | null = LIMIT,
) {
  const asked: [bucket: string, want: number][] = [];
  const repository = {
    lease: (bucket: string, want: number) => {
      asked.push([bucket, want]);
      return lease(want);
    },
  };
  const rateLimits = Object.fromEntries(
    ['read', 'write', 'agent', 'join', 'agent_token'].map((name) => [name, limit]),
  ) as unknown as RateLimits;
  const limiter = new RateLimiter({ rateLimits }, repository as unknown as RateBucketRepository, new Loops());
  return { limiter, asked };
}

const plenty = (want: number) => Promise.resolve({ lease: want, tokens: 5 });
const nothing = () => Promise.resolve({ lease: 0, tokens: 0.5 });
const take = async (limiter: RateLimiter, times: number, caller = 'ann') => {
  for (let count = 0; count < times; count += 1) await limiter.take('write', caller);
};

describe('the limit of a caller', () => {
  it('costs no statement for who asks little, for as long as that may be', async () => {
    const { limiter, asked } = make(nothing);

    for (let second = 0; second < 600; second += 1) {
      await take(limiter, 1);
      nowMs += 1_000;
    }

    expect(asked).toEqual([]);
  });

  it('is met from blocks for who asks much, and not from a statement a request', async () => {
    const { limiter, asked } = make(plenty);

    await take(limiter, 5 + 30);

    expect(asked).toEqual(Array(6).fill(['write ann', 5]));
    expect(limiter.leases).toBe(6);
  });

  it('is given to all that ask at one moment, as far as there is some', async () => {
    let left = 40;
    const { limiter, asked } = make((want) => {
      const lease = Math.min(want, left);
      left -= lease;
      return Promise.resolve({ lease, tokens: 0 });
    });

    const answers = await Promise.allSettled(Array.from({ length: 100 }, () => limiter.take('write', 'ann')));

    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(45);
    expect(asked.length).toBeLessThan(10);
  });

  it('is one for each caller and each class', async () => {
    const { limiter, asked } = make(plenty);

    await take(limiter, 6);
    await take(limiter, 6, 'bob');
    for (let count = 0; count < 6; count += 1) await limiter.take('join', 'ann');

    expect(asked.map(([bucket]) => bucket)).toEqual(['write ann', 'write bob', 'join ann']);
  });

  it('that is spent is told with the fields of the draft, and asks nothing more before its time', async () => {
    const { limiter, asked } = make(nothing);
    await take(limiter, 5);

    const refusals = await Promise.all(
      Array.from({ length: 20 }, () => limiter.take('write', 'ann').catch((error: unknown) => error)),
    );

    expect(asked).toHaveLength(1);
    expect(refusals.every((error) => error instanceof RateLimited)).toBe(true);
    expect((refusals[0] as RateLimited).extra).toMatchObject({
      retryAfterS: 1,
      members: { limit: 'write' },
      headers: { 'ratelimit-policy': '"write";q=50;w=5', ratelimit: '"write";r=0;t=1' },
    });
    expect(limiter.refused.get('write')).toBe(20);
    expect(limiter.refused.get('read')).toBe(0);
  });

  it('comes back with time', async () => {
    const { limiter } = make(nothing);
    await take(limiter, 5);
    await expect(limiter.take('write', 'ann')).rejects.toThrow(RateLimited);

    nowMs += 1_000;

    await take(limiter, 1);
    await expect(limiter.take('write', 'ann')).rejects.toThrow(RateLimited);
  });

  it('that is off counts nothing', async () => {
    const { limiter, asked } = make(nothing, null);

    await take(limiter, 10_000);

    expect(asked).toEqual([]);
  });

  it('that cannot be told holds up what changes something, and not what reads', async () => {
    const { limiter } = make(() => Promise.reject(new Error('gone')));
    await take(limiter, 5);

    await expect(limiter.take('write', 'ann')).rejects.toThrow(RateUndecided);
    for (let count = 0; count < 50; count += 1) await limiter.take('read', 'ann');
    for (let count = 0; count < 5; count += 1) await limiter.take('agent_token', 'a broker');
    await expect(limiter.take('agent_token', 'a broker')).rejects.toThrow(RateUndecided);
    for (let count = 0; count < 50; count += 1) await limiter.take('agent', 'an agent');
  });

  it('asks for no more leases than so many a second, whoever asks', async () => {
    const { limiter, asked } = make(nothing, { perS: 1, burst: 1 });

    const answers = [];
    for (let caller = 0; caller < 600; caller += 1) {
      await take(limiter, 1, `c-${caller}`);
      answers.push(
        await limiter.take('write', `c-${caller}`).catch((error: Error) => error.constructor.name),
      );
    }

    expect(asked).toHaveLength(500);
    expect(answers.slice(500)).toEqual(Array(100).fill('RateUndecided'));
    nowMs += 1_000;
    await expect(limiter.take('write', 'c-599')).rejects.toThrow(RateLimited);
    expect(asked).toHaveLength(501);
  });

  it('is kept in mind of 10,000 callers at most, those that asked last', async () => {
    const { limiter } = make(nothing, { perS: 1, burst: 1 });
    for (let caller = 0; caller <= 10_000; caller += 1) await take(limiter, 1, `c-${caller}`);

    // Forgotten, so that it has its share again.
    await take(limiter, 1, 'c-0');
    await expect(limiter.take('write', 'c-10000')).rejects.toThrow(RateLimited);
  });
});

describe('the limit of what fails', () => {
  const tryAt = async (limiter: RateLimiter, hasFailed: boolean, caller = 'ann') =>
    (await limiter.admit('join', caller))(hasFailed);
  /** One whose limit was found spent a while ago. */
  const spent = async (agoMs: number) => {
    const made = make(nothing);
    for (let count = 0; count < 5; count += 1) await tryAt(made.limiter, true);
    await expect(tryAt(made.limiter, true)).rejects.toThrow(RateLimited);
    nowMs += agoMs;
    return made;
  };
  const atOnce = async (limiter: RateLimiter, many: number) => {
    const tried = Array.from({ length: many }, () => limiter.admit('join', 'ann'));
    return (await Promise.allSettled(tried)).flatMap((each) =>
      each.status === 'fulfilled' ? [each.value] : [],
    );
  };

  it('costs what goes well nothing, and no statement, however many try at once', async () => {
    const { limiter, asked } = make(nothing);

    for (const ended of await atOnce(limiter, 1_000)) await ended(false);
    for (let count = 0; count < 5; count += 1) await tryAt(limiter, true);

    expect(asked).toEqual([]);
  });

  it('refuses who has failed too often before anything is tried, and nobody else', async () => {
    const { limiter, asked } = await spent(0);

    await expect(limiter.admit('join', 'ann')).rejects.toThrow(RateLimited);
    await expect(tryAt(limiter, true, 'bob')).resolves.toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  it('lets no more be tried at once than may fail, once it was spent', async () => {
    const { limiter } = await spent(2_000);

    expect(await atOnce(limiter, 40)).toHaveLength(2);
  });

  it('is given back by what goes well, as far as a replica has a share of its own', async () => {
    const { limiter } = await spent(1_000);

    for (let count = 0; count < 40; count += 1) await tryAt(limiter, false);
    await tryAt(limiter, true);

    await expect(limiter.admit('join', 'ann')).rejects.toThrow(RateLimited);
  });

  it('gives back no more than that share', async () => {
    const { limiter } = await spent(60_000);
    for (let count = 0; count < 40; count += 1) await tryAt(limiter, false);

    expect(await atOnce(limiter, 40)).toHaveLength(5);
  });

  it('lets as many try as wish to once it is full again for certain', async () => {
    const { limiter, asked } = await spent(600_000);

    expect(await atOnce(limiter, 1_000)).toHaveLength(1_000);
    expect(asked).toHaveLength(1);
  });
});
