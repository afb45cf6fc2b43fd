import { expect, it, jest } from '@jest/globals';
import { readRow } from '../../../test/support/read-row.js';
import type { Wakes } from '../cluster/wakes.js';
import type { Link } from '../registry/link.js';
import type { LinkObserver, Links } from '../registry/links.js';
import type { Ownership } from '../registry/ownership.js';
import { Backlogs } from './backlogs.js';
import { Owners } from './owners.js';
import type { Steps } from './steps.js';

it('lets the owner on this very replica forget what was ended here, so that what rests holds its key no more', () => {
  const observers: LinkObserver[] = [];
  const links = { observe: (given: LinkObserver) => observers.push(given) } as unknown as Links;
  const wakes = { subscribe: () => undefined } as unknown as Wakes;
  const backlogs = new Backlogs(links, wakes, { tell: () => undefined } as unknown as Steps);
  const onWork = jest.fn();
  backlogs.start(onWork, () => undefined);
  const link = { brokerId: 'b', epoch: 7, carriesWork: true, facts: { window: 64, capabilities: [] } };
  observers[0]?.opened?.(link as unknown as Link);
  const rows = [
    readRow(1, { id: 'resting', orderingKey: 'k', restMs: 300_000, restsWithKey: true }),
    readRow(2, { id: 'behind', orderingKey: 'k' }),
  ];
  const backlog = backlogs.of('b');
  const read = backlog?.nextRead(0);
  if (backlog === undefined || read === undefined) throw new Error('nothing is to be read');
  backlog.isReady = true;
  backlog.took(rows, read, 0);
  expect(backlog.candidates(2, 0)).toEqual([]);

  new Owners(backlogs, {} as Ownership, wakes).ended([{ id: 'resting', seq: 1, brokerId: 'b' }]);

  expect(backlog.candidates(2, 0).map(({ id }) => id)).toEqual(['behind']);
  expect(onWork).toHaveBeenCalledTimes(1);
});
