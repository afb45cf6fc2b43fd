import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Replica } from '../cluster/replica.js';
import { Links } from '../registry/links.js';
import { Contracts } from './contracts.js';
import type { EndingRepository } from './ending.repository.js';
import type { Endings } from './endings.js';

describe('commands that are pending again', () => {
  let contracts: Contracts;
  /** Of which keys each statement ended what was replaced. */
  let asked: (readonly { orderingKey: string }[])[];

  beforeEach(() => {
    asked = [];
    const repository: Partial<EndingRepository> = {
      supersede: (keys) => Promise.resolve((asked.push(keys), [])),
    };
    const endings: Partial<Endings> = { committed: () => undefined };
    contracts = new Contracts(repository as EndingRepository, endings as Endings, new Links(), {
      id: 'r',
    } as Replica);
  });

  const put = (orderingKey: string | null, contract: 'latest_only' | 'until') => ({
    ...{ brokerId: 'b', orderingKey, contract },
  });

  it('may have been replaced where only the latest of their keys counts, and are not looked for else', async () => {
    await contracts.putBack([put('one', 'until'), put('latest', 'latest_only'), put(null, 'latest_only')]);
    await contracts.putBack([put('one', 'until')]);

    expect(asked).toEqual([[{ brokerId: 'b', orderingKey: 'latest' }]]);
  });
});
