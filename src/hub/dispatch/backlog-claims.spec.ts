import { describe, expect, it } from '@jest/globals';
import { plainDraft } from '../../../test/support/plain-draft.js';
import { readRow } from '../../../test/support/read-row.js';
import {
  copyOf as copy,
  idsOf,
  linkOf,
  readInto,
  readyBacklog,
} from '../../../test/support/ready-backlog.js';
import { LIMITS } from '../../protocol/limits.js';
import { Backlog } from './backlog.js';
import type { Waiting } from './waiting.js';

/** As many pending rows as memory keeps of one broker. */
const HELD_MOST = 16_384;
const CLAIMED = { state: 'claimed', attempt: 1 } as const;

/** One that has read all there is. */
function idle(window?: number): Backlog {
  const backlog = readyBacklog(window);
  readInto(backlog, []);
  return backlog;
}

describe('a backlog that is told of a new command', () => {
  it('offers it as what it is: plain, of now, and wanted', () => {
    const backlog = idle();

    backlog.told('d1', copy(1, { args: {} }), 0);

    expect(backlog.candidates(1, 0)).toEqual([
      {
        ...{ id: 'd1', seq: 1, op: 'broker.ping', lane: 'normal', orderingKey: null, contract: 'until' },
        ...{
          args: {},
          argsBytes: 8,
          dueAt: 0,
          restsWithKey: false,
          cancelRequested: false,
          traceparent: null,
        },
      },
    ]);
  });

  it('keeps no more than memory is to hold, and reads the rest', () => {
    const backlog = idle();

    for (let seq = 1; seq <= HELD_MOST + 1; seq += 1) backlog.told(`d${seq}`, copy(seq), 0);

    expect(backlog.depth.waiting).toBe(HELD_MOST);
    expect(backlog.isBehind).toBe(true);
  });

  it('knows by its floor that one has ended', () => {
    const backlog = readyBacklog();
    backlog.beginAt(10);
    readInto(backlog, []);

    backlog.told('d5', copy(5), 0);

    expect(idsOf(backlog)).toEqual([]);
  });

  it('takes one of which it has heard the end no more; but an end of rows that it never met leaves no mark', () => {
    const backlog = idle();

    expect([backlog.ended('d1'), backlog.ended('d2')]).toEqual([false, false]);
    backlog.told('d1', copy(1), 0);

    expect(idsOf(backlog)).toEqual(['d1']);
    expect(backlog.ended('d1')).toBe(true);
  });
});

describe('what was claimed elsewhere for a broker', () => {
  it('rests until the inventory is taken, and while the link carries no work', () => {
    const link = linkOf();
    const backlog = new Backlog(link);
    readInto(backlog, [readRow(1, CLAIMED)]);

    expect(backlog.takeUnsent(0)).toEqual([]);
    backlog.isReady = true;
    link.displace(8);
    expect(backlog.takeUnsent(0)).toEqual([]);
    expect(backlog.depth).toMatchObject({ waiting: 1, unacked: 0 });
  });

  it('goes out up to the window where nothing else waits', () => {
    const backlog = readyBacklog(2);
    readInto(backlog, [readRow(1, CLAIMED), readRow(2, CLAIMED)]);

    expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d1', 'd2']);
  });

  it('has a known age where a copy told it as new, and none where it was read', () => {
    const backlog = readyBacklog();
    readInto(backlog, [readRow(1, CLAIMED)]);
    backlog.told('d2', copy(2, { epoch: 7 }), 5);

    expect(backlog.takeUnsent(6)).toMatchObject([
      { id: 'd1', claimedAt: null, ageS: null },
      { id: 'd2', claimedAt: 5, ageS: 0 },
    ]);
  });

  it('leaves the rest of the window to what waits to be claimed', () => {
    const backlog = readyBacklog(4);
    readInto(backlog, [
      ...[1, 2].map((seq) => readRow(seq, CLAIMED)),
      ...[3, 4, 5, 6].map((seq) => readRow(seq)),
    ]);

    expect(idsOf(backlog)).toEqual(['d3', 'd4']);
  });

  it('keeps the broker from commands that would overtake it', () => {
    const backlog = idle();
    backlog.told('d1', copy(1, { epoch: 7 }), 0);

    expect(backlog.reserve(plainDraft('d2'))).toBe(false);
  });
});

describe('the window of a broker', () => {
  const control = (seq: number) => readRow(seq, { lane: 'control' });

  it('holds for control as well, which counts in it', () => {
    const [two, three] = [readyBacklog(2), readyBacklog(2)];
    readInto(two, [...[1, 2, 3].map((seq) => readRow(seq)), control(4)]);
    readInto(three, [control(1), control(2), control(3)]);

    expect([idsOf(two), idsOf(three)]).toEqual([
      ['d4', 'd1'],
      ['d1', 'd2'],
    ]);
  });

  it('has no room for another command once it is full', () => {
    const backlog = idle(1);

    expect(backlog.reserve(plainDraft('d1'))).toBe(true);
    backlog.unreserve('d1');
    backlog.handed(plainDraft('d1'), 1, 0);

    expect(backlog.reserve(plainDraft('d2'))).toBe(false);
  });
});

describe('a command that was handed off', () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

  it('is sent as it was stored, until its deadline', () => {
    const command = plainDraft('d1', 'k');
    const { initiator } = command;

    const sent = idle().handed({ ...command, initiator: { ...initiator, traceparent } }, 3, 1_000);

    expect(sent).toMatchObject({
      ...{ id: 'd1', seq: 3, op: 'broker.ping', lane: 'normal', orderingKey: 'k', contract: 'until' },
      ...{ args: {}, cancelRequested: false, restsWithKey: false, traceparent },
      ...{ attempt: 1, deadlineAt: 61_000, sentAt: 1_000, claimedAt: 1_000, ageS: 0 },
    });
  });

  it('is not sent where a read has met it and it has ended since', () => {
    const backlog = idle();
    backlog.letGo('d1');

    expect(backlog.handed(plainDraft('d1'), 1, 0)).toBeUndefined();
    expect(backlog.out.size).toBe(0);
  });
});

describe('a command that is out', () => {
  it('is not sent again for being read, but is known to be given up, and when it must end', () => {
    const backlog = readyBacklog();
    readInto(backlog, [readRow(1)]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
    backlog.woken(1);

    readInto(backlog, [readRow(1, { ...CLAIMED, cancelRequested: true, remainingMs: 1_000 })]);

    expect(backlog.takeUnsent(0)).toEqual([]);
    expect(backlog.out.isGivenUp('d1')).toBe(true);
    expect(backlog.out.all).toMatchObject([{ id: 'd1', deadlineAt: 1_000 }]);
  });

  it('is all that a wish to stop is about', () => {
    expect(() => idle().cancelRequested('unknown')).not.toThrow();
  });
});

describe('the latest of a kind', () => {
  it('replaces the one before it of the same key and contract, and nothing else', () => {
    const backlog = readyBacklog();
    const of = (seq: number, contract: Waiting['contract'], orderingKey: string) =>
      readRow(seq, { contract, orderingKey });
    readInto(backlog, [
      of(1, 'until', 'k'),
      of(2, 'until', 'k'),
      of(3, 'latest_only', 'k'),
      of(4, 'latest_only', 'k'),
      of(5, 'latest_only', 'l'),
    ]);

    const waiting = [2, 3, 4, 5].map((seq): Waiting => {
      const { id, op, lane, orderingKey, contract } = of(
        seq,
        seq === 2 ? 'until' : 'latest_only',
        seq === 5 ? 'l' : 'k',
      );
      return {
        ...{ id, seq, op, lane, orderingKey, contract, args: {}, argsBytes: 2 },
        ...{ dueAt: 0, restsWithKey: false, cancelRequested: false, traceparent: null },
      };
    });

    expect(waiting.map((row) => backlog.replaces(row))).toEqual([false, false, true, false]);
  });
});

describe('whether a word on a row may be about one of this broker', () => {
  it('is so until its inventory was taken, and while a row waits or is out', () => {
    const backlog = new Backlog(linkOf());
    const seen = [backlog.holdsRows];
    backlog.isReady = true;
    seen.push(backlog.holdsRows);
    readInto(backlog, [readRow(1)]);
    seen.push(backlog.holdsRows);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
    seen.push(backlog.holdsRows);
    backlog.letGo('d1');
    seen.push(backlog.holdsRows);

    expect(seen).toEqual([true, false, true, true, false]);
  });
});

describe('a backlog of commands with large arguments', () => {
  const HALF = LIMITS.bufferedBytes / 2;
  const large = { args: null, argsBytes: HALF / 2 };
  const claim = (backlog: Backlog, ...ids: string[]) => {
    for (const id of ids) backlog.claimed({ id, attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
  };

  it('lets no more bytes be unacked than half of what may wait for a broker, and an ack makes room', () => {
    const backlog = readyBacklog();
    readInto(backlog, [readRow(1, large), readRow(2, large), readRow(3, { args: null, argsBytes: 1 })]);

    expect(idsOf(backlog)).toEqual(['d1', 'd2']);
    claim(backlog, 'd1', 'd2');
    expect(idsOf(backlog)).toEqual([]);
    backlog.acked('d1', 1);
    expect(idsOf(backlog)).toEqual(['d3']);
  });

  it('lets none that is small pass a large one for which there is no room yet', () => {
    const backlog = readyBacklog();
    readInto(backlog, [readRow(1), readRow(2, { args: null, argsBytes: HALF }), readRow(3)]);
    claim(backlog, 'd1');

    expect(idsOf(backlog)).toEqual([]);
    backlog.letGo('d1');
    expect(idsOf(backlog)).toEqual(['d2']);
  });

  it('counts what was claimed elsewhere, and what is just being stored as claimed', () => {
    const backlog = idle();
    backlog.told('d1', copy(1, { ...large, epoch: 7 }), 0);
    backlog.told('d2', copy(2, { ...large, epoch: 7 }), 0);
    backlog.told('d3', copy(3, { epoch: 7 }), 0);

    expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d1', 'd2']);
    backlog.acked('d1', 1);
    expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d3']);

    const offered = (argsBytes: number, id: string) => backlog.reserve({ ...plainDraft(id), argsBytes });
    expect([offered(HALF / 2, 'h1'), offered(HALF / 2 - 8, 'h2'), offered(2, 'h3')]).toEqual([
      false,
      true,
      false,
    ]);
    backlog.unreserve('h2');
    expect(offered(2, 'h4')).toBe(true);
  });

  it('lets none that waits pass a large one that is claimed already, but what overtakes', () => {
    const backlog = idle();
    backlog.told('d1', copy(1, { args: null, argsBytes: HALF - LIMITS.argsBytes + 1 }), 0);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
    backlog.told('d2', copy(2, { args: null, argsBytes: LIMITS.argsBytes, epoch: 7 }), 0);
    backlog.told('d3', copy(3), 0);

    expect([backlog.takeUnsent(0), idsOf(backlog)]).toEqual([[], []]);
    backlog.poll(0);
    readInto(backlog, [readRow(3), readRow(4, { lane: 'control', argsBytes: HALF })]);
    expect(idsOf(backlog)).toEqual(['d4']);
    backlog.letGo('d4');
    backlog.acked('d1', 1);
    expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d2']);
    expect(idsOf(backlog)).toEqual(['d3']);
  });

  it('counts a command once that is sent again', () => {
    const backlog = idle();
    backlog.reserve({ ...plainDraft('d1'), argsBytes: HALF });
    backlog.unreserve('d1');
    backlog.handed({ ...plainDraft('d1'), argsBytes: HALF }, 1, 0);
    // A read meets it in another attempt, as after claims of which nothing was heard.
    backlog.poll(0);
    readInto(backlog, [readRow(1, { ...CLAIMED, attempt: 2, args: null, argsBytes: HALF })]);
    expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d1']);

    backlog.acked('d1', 2);
    expect(backlog.reserve({ ...plainDraft('h1'), argsBytes: HALF })).toBe(true);
  });
});
