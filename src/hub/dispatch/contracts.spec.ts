import { beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { linkOf } from '../../../test/support/ready-backlog.js';
import type { Replica } from '../cluster/replica.js';
import { Links } from '../registry/links.js';
import { Contracts } from './contracts.js';
import type { EndingRepository } from './ending.repository.js';
import type { Endings } from './endings.js';

let links: Links;
let contracts: Contracts;
/** Of which keys each statement ended what was replaced, or of which links what was bound to them. */
let asked: (readonly object[])[];

beforeEach(() => {
  asked = [];
  links = new Links();
  const end = (what: readonly object[]) => {
    asked.push(what);
    return Promise.resolve([]);
  };
  const repository: Partial<EndingRepository> = { supersede: end, lapse: end };
  const endings: Partial<Endings> = { committed: () => undefined };
  contracts = new Contracts(repository as EndingRepository, endings as Endings, links, {
    id: 'r',
  } as Replica);
});

describe('links that end together', () => {
  it('end in one statement what was bound to them', async () => {
    const ids = ['a', 'b', 'c'];
    contracts.start();
    for (const id of ids) links.open(linkOf(64, id));

    for (const link of links.all()) links.close(link, 'gone');
    await eventually(() => asked.length > 0);

    expect(asked).toEqual([ids.map((brokerId) => ({ brokerId, epoch: 7 }))]);
  });
});

describe('commands that are pending again', () => {
  const put = (orderingKey: string | null, contract: 'latest_only' | 'until') => ({
    ...{ brokerId: 'b', orderingKey, contract },
  });

  it('may have been replaced where only the latest of their keys counts, and are not looked for else', async () => {
    await contracts.putBack([put('one', 'until'), put('latest', 'latest_only'), put(null, 'latest_only')]);
    await contracts.putBack([put('one', 'until')]);

    expect(asked).toEqual([[{ brokerId: 'b', orderingKey: 'latest' }]]);
  });
});
