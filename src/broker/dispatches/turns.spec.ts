import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Turns } from './turns.js';

/** Work that runs until it is told to end. */
function pieces() {
  const begun: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  return {
    begun,
    work: (name: string) => () => {
      begun.push(name);
      return new Promise<void>((resolve, reject) => ends.set(name, { resolve, reject }));
    },
    end: (name: string) => ends.get(name)?.resolve(),
    fail: (name: string) => ends.get(name)?.reject(new Error(name)),
    endAll: () => {
      for (const { resolve } of ends.values()) resolve();
    },
  };
}

/** Long enough for every promise that is ready. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('Turns', () => {
  it('runs work of one key one after another, in the order it came', async () => {
    const turns = new Turns();
    const { begun, work, end } = pieces();
    void turns.run('key', 'hub', work('first'));
    void turns.run('key', 'hub', work('second'));
    void turns.run('key', 'hub', work('third'));
    await settle();
    expect(begun).toEqual(['first']);

    end('first');
    await settle();
    expect(begun).toEqual(['first', 'second']);

    end('second');
    await settle();
    expect(begun).toEqual(['first', 'second', 'third']);
  });

  it('takes up no room with what is not ready, which keeps its key waiting alone', async () => {
    const turns = new Turns();
    const { begun, work } = pieces();
    let makeReady = (): void => undefined;
    const ready = new Promise<void>((resolve) => (makeReady = resolve));
    for (let number = 0; number < 40; number += 1)
      void turns.run(`key ${number}`, 'hub', work('late'), () => ready);
    void turns.run('key 0', 'hub', work('behind'));
    void turns.run('other', 'hub', work('other'));
    await settle();
    expect(begun).toEqual(['other']);

    makeReady();
    await settle();

    expect(begun).toHaveLength(32);
    expect(begun).not.toContain('behind');
  });

  it('runs work of other keys, and of none, side by side', async () => {
    const turns = new Turns();
    const { begun, work } = pieces();

    for (const [key, name] of [
      ['a', 'a'],
      ['b', 'b'],
      [null, 'c'],
      [null, 'd'],
    ] as const)
      void turns.run(key, 'hub', work(name));
    await settle();

    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes on with a key whose work failed, and tells who asked for it', async () => {
    const turns = new Turns();
    const { begun, work, fail } = pieces();
    const failing = turns.run('key', 'hub', work('first'));
    void turns.run('key', 'hub', work('second'));
    await settle();

    fail('first');

    await expect(failing).rejects.toThrow('first');
    await settle();
    expect(begun).toEqual(['first', 'second']);
  });

  it('runs no more than 32 pieces at once, and all in the end', async () => {
    const turns = new Turns();
    const { begun, work, end, endAll } = pieces();
    for (let index = 0; index < 40; index += 1) void turns.run(null, 'hub', work(String(index)));
    await settle();
    expect(begun).toHaveLength(32);

    end('5');
    await settle();
    expect(begun).toHaveLength(33);

    endAll();
    await settle();
    endAll();
    await turns.idle();
    expect(begun).toHaveLength(40);
  });

  it.each([
    ['hub', 'own'],
    ['own', 'hub'],
  ] as const)('keeps nothing of the room %s waiting where the other is full', async (room, other) => {
    const turns = new Turns();
    const { begun, work, endAll } = pieces();

    for (let index = 0; index < 40; index += 1) void turns.run(null, other, work(`${other}-${index}`));
    void turns.run(null, room, work('beside'));
    await settle();

    expect(begun).toHaveLength(33);
    expect(begun).toContain('beside');
    endAll();
    await settle();
    endAll();
    await turns.idle();
    expect(begun).toHaveLength(41);
  });

  it('keeps the order of a key in both rooms', async () => {
    const turns = new Turns();
    const { begun, work, end } = pieces();
    void turns.run('key', 'own', work('first'));
    void turns.run('key', 'hub', work('second'));
    await settle();
    expect(begun).toEqual(['first']);

    end('first');
    await settle();

    expect(begun).toEqual(['first', 'second']);
  });

  it('does not let work that waits for its key take a place from another', async () => {
    const turns = new Turns();
    const { begun, work } = pieces();

    for (let index = 0; index < 100; index += 1) void turns.run('busy', 'hub', work(`busy-${index}`));
    void turns.run('other', 'hub', work('other'));
    await settle();

    expect(begun).toEqual(['busy-0', 'other']);
  });

  it('keeps the order of each key for any mix of keys and failures', async () => {
    const plan = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', null), fails: fc.boolean() }), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(plan, async (items) => {
        const turns = new Turns();
        const log: { key: string | null; index: number; step: 'begin' | 'end' }[] = [];
        items.forEach(({ key, fails }, index) => {
          const work = async () => {
            log.push({ key, index, step: 'begin' });
            await settle();
            log.push({ key, index, step: 'end' });
            if (fails) throw new Error('as planned');
          };
          turns.run(key, 'hub', work).catch(() => undefined);
        });

        await turns.idle();

        expect(log).toHaveLength(2 * items.length);
        for (const key of ['a', 'b', 'c']) {
          const indices = items.flatMap((item, index) => (item.key === key ? [index] : []));
          const expected = indices.flatMap((index) => [
            { key, index, step: 'begin' },
            { key, index, step: 'end' },
          ]);
          expect(log.filter((entry) => entry.key === key)).toEqual(expected);
        }
      }),
      { numRuns: 30 },
    );
  });
});
