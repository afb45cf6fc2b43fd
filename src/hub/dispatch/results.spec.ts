import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Link } from '../registry/link.js';
import { Results } from './results.js';
import type { Word } from './settle.repository.js';

const ID = '0199f1a2-7c44-7e11-9d5e-111111111111';

describe('an ack that rests', () => {
  let written: Pick<Word, 'id' | 'brokerId'>[];
  let results: Results;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
    written = [];
    const repository = {
      ack: (words: readonly Word[]) => {
        written.push(...words.map(({ id, brokerId }) => ({ id, brokerId })));
        return Promise.resolve();
      },
      settle: () => Promise.resolve([]),
      standings: () => Promise.resolve([]),
    };
    const none = () => undefined;
    const backlogs = { acked: () => [], letGo: none, wake: none, freeKeys: none };
    const fakes = [
      repository,
      backlogs,
      { committed: none },
      { putBack: none },
      { putBack: none },
      { tell: none, batch: none },
      { id: 'replica', assertMayAct: none },
    ];
    results = new Results(...(fakes as unknown as ConstructorParameters<typeof Results>));
  });

  afterEach(async () => {
    await results.idle();
    jest.useRealTimers();
  });

  const linkOf = (brokerId: string) => ({ brokerId, isOpen: true, send: () => true }) as unknown as Link;
  const succeeded = { id: ID, attempt: 1, outcome: 'succeeded', body: null } as const;
  const rest = async () => {
    jest.advanceTimersByTime(25);
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };

  it('is written where no result of its broker comes', async () => {
    results.acked(linkOf('one'), [{ id: ID, attempt: 1 }]);

    await rest();

    expect(written).toEqual([{ id: ID, brokerId: 'one' }]);
  });

  it('is left to the result of its broker that comes at once', async () => {
    results.acked(linkOf('one'), [{ id: ID, attempt: 1 }]);
    await results.took(linkOf('one'), [succeeded]);

    await rest();

    expect(written).toEqual([]);
  });

  it('is dropped for no result or ack of another broker that names its id', async () => {
    results.acked(linkOf('one'), [{ id: ID, attempt: 1 }]);
    results.acked(linkOf('other'), [{ id: ID, attempt: 1 }]);
    await results.took(linkOf('other'), [succeeded]);

    await rest();

    expect(written).toEqual([{ id: ID, brokerId: 'one' }]);
  });
});
