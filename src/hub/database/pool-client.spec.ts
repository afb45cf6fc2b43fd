import pg from 'pg';
import { describe, expect, it } from '@jest/globals';
import { PoolClient, poolClientOf } from './pool-client.js';

class Unmakeable extends PoolClient {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    throw new Error('no such file');
  }
}

describe('a connection of the pool that cannot be made', () => {
  const pool = () => new pg.Pool({ Client: poolClientOf(Unmakeable) } as unknown as pg.PoolConfig);

  it('is told to whoever asked for it, as one that does not come about', async () => {
    await expect(pool().connect()).rejects.toThrow('no such file');
  });

  it('leaves its place to the next', async () => {
    const full = pool();
    const asked = Array.from({ length: 25 }, () => full.connect());

    const outcomes = await Promise.allSettled(asked);

    expect(outcomes.map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));
    expect(full.totalCount).toBe(0);
  });
});
