import { describe, expect, it } from '@jest/globals';
import type { BrokerRepository } from './broker.repository.js';
import { eventually } from '../../../test/support/eventually.js';
import { Standings, type Standing } from './standings.js';

type Read = { ids: readonly string[]; answer: (rows: [string, Standing][] | Error) => void };

function make() {
  const reads: Read[] = [];
  const repository = {
    standings: (ids: readonly string[]) =>
      new Promise<Map<string, Standing>>((resolve, reject) =>
        reads.push({
          ids,
          answer: (rows) => (rows instanceof Error ? reject(rows) : resolve(new Map(rows))),
        }),
      ),
  };
  const read = (index: number) => eventually(() => reads[index]);
  return { standings: new Standings(repository as unknown as BrokerRepository), reads, read };
}

describe('the standings of brokers at the door', () => {
  it('are read with one statement for all that come while one is under way', async () => {
    const { standings, reads, read } = make();
    const first = standings.of('a');
    await read(0);
    const others = [standings.of('b'), standings.of('c'), standings.of('b')];

    (await read(0)).answer([['a', 'welcome']]);
    (await read(1)).answer([['b', 'revoked']]);

    expect(await first).toBe('welcome');
    expect(await Promise.all(others)).toEqual(['revoked', 'unknown', 'revoked']);
    expect(reads.map(({ ids }) => ids)).toEqual([['a'], ['b', 'c']]);
  });

  it('are read anew each time, so that a revocation holds at once', async () => {
    const { standings, read } = make();
    const before = standings.of('a');
    (await read(0)).answer([['a', 'welcome']]);
    await before;

    const after = standings.of('a');
    (await read(1)).answer([['a', 'revoked']]);

    expect([await before, await after]).toEqual(['welcome', 'revoked']);
  });

  it('fail for those who asked then, and are read again for the next', async () => {
    const { standings, read } = make();
    const failed = standings.of('a');
    const refused = expect(failed).rejects.toThrow('away');
    (await read(0)).answer(new Error('away'));
    await refused;

    const next = standings.of('a');
    (await read(1)).answer([['a', 'welcome']]);

    expect(await next).toBe('welcome');
  });
});
