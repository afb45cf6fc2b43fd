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

  it('ends nothing else where it is made for one that waits, after another has failed', async () => {
    let made = 0;
    class UnmakeableLater extends PoolClient {
      constructor(config?: string | pg.ClientConfig) {
        super(config);
        if ((made += 1) > 1) throw new Error('no such file');
        this.connect = ((told: (error: Error) => void) =>
          process.nextTick(told, new Error('gone'))) as typeof this.connect;
      }
    }
    const single = new pg.Pool({ max: 1, Client: poolClientOf(UnmakeableLater) } as unknown as pg.PoolConfig);

    const outcomes = await Promise.allSettled([single.connect(), single.connect()]);

    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { message: 'gone' } },
      { status: 'rejected', reason: { message: 'no such file' } },
    ]);
  });

  it('leaves its place to the next', async () => {
    const full = pool();
    const asked = Array.from({ length: 25 }, () => full.connect());

    const outcomes = await Promise.allSettled(asked);

    expect(outcomes.map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));
    expect(full.totalCount).toBe(0);
  });
});
