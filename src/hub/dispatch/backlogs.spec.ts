import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Wakes, WakeSubscriber } from '../cluster/wakes.js';
import { Link, type LinkFacts } from '../registry/link.js';
import type { ControlChannel } from '../registry/control-channel.js';
import type { LinkObserver, Links } from '../registry/links.js';
import type { Backlog } from './backlog.js';
import { Backlogs } from './backlogs.js';
import { Steps } from './steps.js';
import { readRow } from '../../../test/support/read-row.js';

const FACTS: LinkFacts = {
  connectionId: 'c',
  brokerId: 'b',
  epoch: 7,
  bootId: 'o',
  journalId: 'j',
  window: 64,
  capabilities: [],
  capabilitiesRevision: 1,
  health: 'online',
  attachments: [],
};

describe('the backlogs of a replica', () => {
  const onWork = jest.fn();
  let backlogs: Backlogs;
  let backlog: Backlog;

  /** One row is out with the broker, and so many wait behind it. */
  function open(waiting: number): void {
    let observer: LinkObserver = {};
    const links = {
      observe: (given: LinkObserver) => {
        observer = given;
        return () => undefined;
      },
    } as Links;
    const wakes = { subscribe: (_given: WakeSubscriber) => undefined } as Wakes;
    backlogs = new Backlogs(links, wakes, new Steps());
    backlogs.start(onWork, () => undefined);
    const link = new Link({ isOpen: true } as ControlChannel, FACTS);
    observer.opened?.(link);
    const made = backlogs.of('b');
    const read = made?.nextRead(0);
    if (made === undefined || read === undefined) throw new Error('nothing is to be read');
    backlog = made;
    backlog.isReady = true;
    backlog.took(
      Array.from({ length: waiting + 1 }, (_each, place) => readRow(place + 1, { orderingKey: 'k' })),
      read,
      0,
    );
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
  }

  beforeEach(() => {
    onWork.mockClear();
  });

  it.each<[string, () => unknown]>([
    ['an ack', () => backlogs.acked('b', [{ id: 'd1', attempt: 1 }])],
    ['an end that the broker told', () => backlogs.letGo('b', ['d1'])],
    ['an end that somebody else made', () => backlogs.ended([{ id: 'd1', brokerId: 'b' }])],
    ['a key that its command holds no more', () => backlogs.freeKeys('b', ['d1'])],
  ])('set off a round for %s where something waits, and none where nothing does', (_what, happen) => {
    open(1);
    happen();
    const rounds = onWork.mock.calls.length;
    open(0);
    happen();

    expect([rounds, onWork.mock.calls.length - rounds]).toEqual([1, 0]);
  });
});
