import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { emptyHint, type Hint } from '../cluster/hint.js';
import type { Wakes, WakeSubscriber } from '../cluster/wakes.js';
import type { LinkObserver, Links } from '../registry/links.js';
import type { Backlog } from './backlog.js';
import { Backlogs } from './backlogs.js';
import type { Adopted } from './inventory.repository.js';
import { commandCopy } from './row-copy.js';
import { Steps } from './steps.js';
import { plainDraft } from '../../../test/support/plain-draft.js';
import { linkOf } from '../../../test/support/ready-backlog.js';
import { readRow } from '../../../test/support/read-row.js';

/** A row that the inventory of the broker `b` knows, at attempt 1. */
function adopted(id: string, seq: number): Adopted {
  const { brokerId, op, lane, orderingKey } = readRow(seq);
  return {
    ...{ id, seq, brokerId, op, lane, orderingKey, agentId: null, originReplica: 'r', attempt: 1 },
    ...{ state: 'succeeded', ageS: 0, outS: 0, traceparent: null },
    ...{ verdict: 'adopt', remainingMs: 60_000, cancelRequested: false },
  };
}

describe('the backlogs of a replica', () => {
  const onWork = jest.fn();
  let observer: LinkObserver;
  let subscriber: WakeSubscriber | undefined;
  let backlogs: Backlogs;

  function begin(): void {
    observer = {};
    const links = {
      observe: (given: LinkObserver) => {
        observer = given;
        return () => undefined;
      },
    } as Links;
    const wakes = { subscribe: (given: WakeSubscriber) => void (subscriber = given) } as Wakes;
    backlogs = new Backlogs(links, wakes, new Steps());
    backlogs.start(onWork, () => undefined);
  }

  /** A broker whose inventory was taken, and of which so many rows were read. */
  function linked(brokerId: string, rows: number): Backlog {
    observer.opened?.(linkOf(64, brokerId));
    const backlog = backlogs.of(brokerId);
    const read = backlog?.nextRead(0);
    if (backlog === undefined || read === undefined) throw new Error('nothing is to be read');
    backlog.isReady = true;
    backlog.took(
      Array.from({ length: rows }, (_each, place) => readRow(place + 1, { orderingKey: 'k' })),
      read,
      0,
    );
    return backlog;
  }

  /** One row is out with the broker, and so many wait behind it. */
  function open(waiting: number): void {
    begin();
    linked('b', waiting + 1).claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
  }

  const copyUnder = (epoch: number | null) => new Map([['d9', commandCopy(plainDraft('d9'), 9, epoch)]]);
  const tell = (hint: Partial<Hint>) => subscriber?.onHint({ ...emptyHint(), ...hint });

  beforeEach(() => {
    onWork.mockClear();
    begin();
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

  describe('of which most are idle', () => {
    it('leave those to no round, and to no word on rows', () => {
      const busy = linked('busy', 2);
      linked('idle', 0);

      expect([backlogs.behind(), backlogs.holding()]).toEqual([[busy], [busy]]);

      busy.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
      backlogs.letGo('busy', ['d2']);
      expect([backlogs.behind(), backlogs.holding()]).toEqual([[], [busy]]);

      backlogs.letGo('busy', ['d1']);
      expect([backlogs.behind(), backlogs.holding()]).toEqual([[], []]);
    });

    it.each<[string, (backlog: Backlog) => unknown]>([
      ['a wake', () => tell({ brokers: new Map([['b', 9]]) })],
      ['a copy of a new row', () => tell({ commands: copyUnder(null) })],
      ['a copy of one that was claimed ahead', () => tell({ commands: copyUnder(linkOf().epoch) })],
      ['a poll', (backlog) => backlog.poll(0)],
      [
        'a read that failed',
        (backlog) => {
          backlog.poll(0);
          const read = backlog.nextRead(0);
          backlogs.behind();
          if (read !== undefined) backlog.readFailed(read);
        },
      ],
      [
        'rows that a read has found',
        (backlog) => {
          backlog.poll(0);
          const read = backlog.nextRead(0);
          backlogs.behind();
          if (read !== undefined) backlog.took([readRow(1)], read, 0);
        },
      ],
      [
        'a claim that was refused, of a row that has ended since',
        (backlog) => {
          tell({ commands: copyUnder(null) });
          const [row] = backlog.candidates(1, 0);
          backlog.ended('d9');
          backlogs.behind();
          if (row !== undefined) backlog.refused(row, 0);
        },
      ],
    ])('have one looked at for %s', (_what, happen) => {
      const backlog = linked('b', 0);
      const before = backlogs.behind();

      happen(backlog);

      expect([before, backlogs.behind()]).toEqual([[], [backlog]]);
    });

    it('have a new link looked at, and know an old one no more', () => {
      linked('b', 1);
      const old = backlogs.of('b');

      const anew = linked('b', 1);
      old?.poll(0);

      expect(anew).not.toBe(old);
      expect([backlogs.behind(), backlogs.holding()]).toEqual([[anew], [anew]]);
      observer.closed?.(anew.link, 'gone');
      expect([backlogs.behind(), backlogs.holding()]).toEqual([[], []]);
    });

    it.each<[string, (backlog: Backlog) => void]>([
      ['waits', () => undefined],
      [
        'is out',
        (backlog) => void backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0),
      ],
    ])('hear of the end of a row that %s', (_how, happen) => {
      const backlog = linked('b', 1);
      happen(backlog);
      backlogs.behind();

      tell({ ended: new Set(['d1']) });

      expect(backlog.depth).toEqual({ waiting: 0, unacked: 0, out: 0 });
    });

    it('hear of the end of a row that was handed off', () => {
      const backlog = linked('b', 0);
      const idle = backlogs.holding();
      const command = plainDraft('d1');
      backlog.reserve(command);
      backlog.handed(command, 1, 0);

      const holding = backlogs.holding();
      tell({ ended: new Set([command.id]) });

      expect([idle, holding]).toEqual([[], [backlog]]);
      expect(backlog.out.size).toBe(0);
    });

    it('hear of the end of a row that is only being looked for', () => {
      const link = linkOf();
      observer.opened?.(link);
      backlogs.holding();

      backlogs.judging(link);
      tell({ ended: new Set(['d1']) });
      backlogs.ready(link, [adopted('d1', 1), adopted('d2', 2)], 1);

      expect(backlogs.of('b')?.out.ids).toEqual(['d2']);
    });

    it('keep nothing of what ended before they were looked for', () => {
      const link = linkOf();
      observer.opened?.(link);

      tell({ ended: new Set(['d1']) });
      backlogs.judging(link);
      tell({ ended: new Set(['d2']) });
      backlogs.judging(link);
      backlogs.ready(link, [adopted('d1', 1), adopted('d2', 2)], 1);

      expect(backlogs.of('b')?.out.ids).toEqual(['d1', 'd2']);
    });
  });
});
