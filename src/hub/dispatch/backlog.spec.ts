import { describe, expect, it } from '@jest/globals';
import { Backlog } from './backlog.js';
import type { Waiting } from './waiting.js';
import type { Read } from './reading.js';
import { plainDraft as draft } from '../../../test/support/plain-draft.js';
import {
  copyOf as copy,
  idsOf as ids,
  linkOf as link,
  readInto as read,
  readyBacklog as ready,
} from '../../../test/support/ready-backlog.js';
import { readRow as row } from '../../../test/support/read-row.js';

describe('the backlog of a broker', () => {
  it('offers nothing before the inventory was taken', () => {
    const backlog = new Backlog(link());
    read(backlog, [row(1)]);

    expect(ids(backlog)).toEqual([]);
  });

  it('begins to read at the floor, whatever polls came before the inventory was taken', () => {
    const backlog = new Backlog(link());
    for (const at of [0, 5_000, 600_000]) backlog.poll(at);
    backlog.beginAt(40);
    backlog.isReady = true;

    expect(read(backlog, [row(41)], 600_000)).toMatchObject({ afterSeq: 39 });
    expect(ids(backlog, 600_000)).toEqual(['d41']);
    backlog.poll(605_000);
    expect(read(backlog, [row(41)], 605_000)).toMatchObject({ afterSeq: 39 });
  });

  it('claims nothing else of a key, and fills no more of the window, while a command is being stored as claimed', () => {
    const backlog = ready(2);
    expect(backlog.reserve(draft('h1', 'k'))).toBe(true);
    expect(backlog.reserve(draft('h2', 'k'))).toBe(false);
    read(backlog, [row(1, { orderingKey: 'k' }), row(2), row(3)]);

    expect(ids(backlog)).toEqual(['d2']);

    backlog.unreserve('h1');
    expect(ids(backlog)).toEqual(['d1', 'd2']);
  });

  it('lets nothing be stored as claimed while anything waits, nor what is for later, bound to a link or beyond the broker', () => {
    const waiting = ready();
    read(waiting, [row(1)]);
    const idle = ready();

    expect(waiting.reserve(draft('h1'))).toBe(false);
    expect(idle.reserve({ ...draft('h2'), notBefore: new Date() })).toBe(false);
    expect(idle.reserve({ ...draft('h3'), contract: 'on_attach' })).toBe(false);
    expect(idle.reserve({ ...draft('h4'), op: 'agent.start' })).toBe(false);
    expect(new Backlog(link()).reserve(draft('h5'))).toBe(false);
    expect(idle.reserve(draft('h6'))).toBe(true);
  });

  it('keeps a wish to stop that comes between a claim and the word of it', () => {
    const backlog = ready();
    read(backlog, [row(1), row(2)]);

    backlog.cancelRequested('d1');
    for (const id of ['d1', 'd2']) backlog.claimed({ id, attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);

    expect([backlog.out.isGivenUp('d1'), backlog.out.isGivenUp('d2')]).toEqual([true, false]);
  });

  it('offers the earliest of each key, and control before the rest', () => {
    const backlog = ready();
    read(backlog, [
      row(1, { orderingKey: 'k' }),
      row(2, { orderingKey: 'k' }),
      row(3, { lane: 'bulk' }),
      row(4, { orderingKey: 'other' }),
      row(5, { lane: 'control' }),
    ]);

    expect(ids(backlog)).toEqual(['d5', 'd1', 'd4', 'd3']);
  });

  it('offers nothing of a key that is out, and the next one when it is let go', () => {
    const backlog = ready();
    read(backlog, [row(1, { orderingKey: 'k' }), row(2, { orderingKey: 'k' })]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
    backlog.acked('d1', 1);

    expect(ids(backlog)).toEqual([]);
    backlog.letGo('d1');
    expect(ids(backlog)).toEqual(['d2']);
  });

  it('offers no more than the window has room for, and an ack makes room', () => {
    const backlog = ready(2);
    read(backlog, [row(1), row(2), row(3)]);
    for (const id of ['d1', 'd2']) backlog.claimed({ id, attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);

    expect(ids(backlog)).toEqual([]);
    backlog.acked('d1', 1);
    expect(ids(backlog)).toEqual(['d3']);
  });

  it('sends at once what was claimed here by a claim whose answer was lost, within the window', () => {
    const backlog = ready(1);
    const claimed = { state: 'claimed', attempt: 1 } as const;
    read(backlog, [row(1, { ...claimed, orderingKey: 'k' }), row(2, claimed), row(3)]);

    expect(backlog.takeUnsent(5)).toMatchObject([{ id: 'd1', attempt: 1, deadlineAt: 60_000, sentAt: 5 }]);
    expect(backlog.out.ids).toEqual(['d1', 'd2']);
    expect([backlog.takeUnsent(6), ids(backlog)]).toEqual([[], []]);
    backlog.acked('d1', 1);
    expect(backlog.takeUnsent(7)).toMatchObject([{ id: 'd2' }]);
    expect(ids(backlog)).toEqual([]);
    backlog.acked('d2', 1);
    expect(ids(backlog)).toEqual(['d3']);
  });

  it('leaves what is just being stored as claimed here to that', () => {
    const backlog = ready();
    backlog.reserve(draft('d1'));
    read(backlog, [row(1, { state: 'claimed', attempt: 1 })]);

    expect(backlog.takeUnsent(0)).toEqual([]);
    // Where nothing comes of that it is read again.
    expect(backlog.nextRead(100)).toMatchObject({ afterSeq: 0 });
    backlog.unreserve('d1');
    backlog.handed(draft('d1'), 1, 0);
    expect([backlog.depth, backlog.takeUnsent(0)]).toEqual([{ waiting: 0, unacked: 1, out: 1 }, []]);
  });

  describe('that is told of new commands by copies', () => {
    it('offers what is pending without a read, and sends what is claimed for its link', () => {
      const backlog = ready();
      read(backlog, []);

      backlog.told('d1', copy(1), 0);
      backlog.told('d2', copy(2, { epoch: 7 }), 0);

      expect(backlog.nextRead(0)).toBeUndefined();
      expect(ids(backlog)).toEqual(['d1']);
      expect(backlog.takeUnsent(3)).toMatchObject([
        { id: 'd2', attempt: 1, args: { n: 2 }, deadlineAt: 60_000, sentAt: 3 },
      ]);
    });

    it('takes nothing that was claimed for another link, and reads instead', () => {
      const backlog = ready();
      read(backlog, []);

      backlog.told('d1', copy(1, { epoch: 6 }), 0);

      expect(backlog.takeUnsent(0)).toEqual([]);
      expect(backlog.nextRead(0)).toMatchObject({ afterSeq: 0 });
    });

    it('takes nothing before it is ready, and reads then', () => {
      const backlog = new Backlog(link());

      backlog.told('d1', copy(1, { epoch: 7 }), 0);

      expect(backlog.depth).toEqual({ waiting: 0, unacked: 0, out: 0 });
    });

    it('takes no copy of what it knows already', () => {
      const backlog = ready();
      read(backlog, [row(1), row(2, { state: 'running', attempt: 1 })]);
      backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);

      backlog.told('d1', copy(1, { epoch: 7 }), 0);
      backlog.told('d2', copy(2, { epoch: 7 }), 0);

      expect(backlog.takeUnsent(0)).toEqual([]);
      expect(backlog.depth).toEqual({ waiting: 0, unacked: 1, out: 2 });
    });

    it('keeps what it is told of while a read is under way that did not see it', () => {
      const backlog = ready();
      const due = backlog.nextRead(0);
      backlog.told('d1', copy(1), 0);

      backlog.took([], due as Read, 0);

      expect(ids(backlog)).toEqual(['d1']);
    });

    it('still reads what has a lower seq and was not told', () => {
      const backlog = ready();
      read(backlog, []);
      backlog.told('d5', copy(5), 0);

      backlog.woken(3);

      expect(backlog.nextRead(0)).toMatchObject({ afterSeq: 2 });
    });

    it('lets a command of the lane control overtake what is claimed and was not sent', () => {
      const backlog = ready(1);
      read(backlog, [row(1, { lane: 'control' })]);
      for (const seq of [2, 3]) backlog.told(`d${seq}`, copy(seq, { epoch: 7 }), 0);

      expect([backlog.takeUnsent(0), ids(backlog)]).toEqual([[], ['d1']]);
      backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
      backlog.acked('d1', 1);
      expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d2']);
    });

    it('leaves a place of the window for what waits to be claimed', () => {
      const backlog = ready(3);
      read(backlog, [row(1)]);
      for (const seq of [2, 3, 4]) backlog.told(`d${seq}`, copy(seq, { epoch: 7 }), 0);

      expect(backlog.takeUnsent(0).map(({ id }) => id)).toEqual(['d2', 'd3']);
      expect(ids(backlog)).toEqual(['d1']);
    });

    it('sends nothing that its broker cannot do any more', () => {
      const backlog = ready();
      read(backlog, []);
      backlog.told('d1', copy(1, { epoch: 7, op: 'agent.start' }), 0);

      expect([backlog.takeUnsent(0), backlog.depth.waiting]).toEqual([[], 1]);
    });

    it('believes the row where its deadline is nearer than the copy had it', () => {
      const backlog = ready();
      read(backlog, []);
      backlog.told('d1', copy(1, { epoch: 7 }), 5_000);
      backlog.takeUnsent(5_000);
      backlog.poll(5_000);

      read(backlog, [row(1, { state: 'claimed', attempt: 1, remainingMs: 58_000 })], 5_000);

      expect(backlog.out.toStop(62_999)).toEqual([]);
      expect(backlog.out.toStop(63_000)).toMatchObject([{ id: 'd1' }]);
    });

    it('lets go of what ends before it was sent', () => {
      const backlog = ready();
      read(backlog, []);
      backlog.told('d1', copy(1, { epoch: 7 }), 0);

      backlog.ended('d1');

      expect([backlog.takeUnsent(0), backlog.depth]).toEqual([[], { waiting: 0, unacked: 0, out: 0 }]);
    });
  });

  it('does not repeat what was acked, however long the row says claimed', () => {
    const backlog = ready();
    read(backlog, [row(1)]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
    backlog.acked('d1', 1);
    backlog.poll(0);
    read(backlog, [row(1, { state: 'claimed', attempt: 1 })]);

    expect(backlog.overdueAcks(60_000)).toEqual([]);
  });

  it('takes no ack of an earlier attempt for one of the attempt that is out', () => {
    const backlog = ready();
    read(backlog, [row(1)]);
    backlog.claimed({ id: 'd1', attempt: 2, remainingMs: 60_000, ageS: 0 }, 0);

    backlog.acked('d1', 1);

    expect(backlog.overdueAcks(10_000)).toMatchObject([{ id: 'd1', attempt: 2 }]);
  });

  it('reads on after a wake that came while a read was under way', () => {
    const backlog = ready();
    const due = backlog.nextRead(0);
    if (due === undefined) throw new Error('no read is due');
    backlog.woken(1);
    backlog.took([], due, 0);

    expect(backlog.nextRead(0)).toMatchObject({ afterSeq: 0 });
  });

  it('reads nothing when nothing has happened since the last row', () => {
    const backlog = ready();
    read(backlog, [row(1)]);

    expect(backlog.nextRead(0)).toBeUndefined();
  });

  it('is behind while anything is to be read, to be claimed or to be sent, and not for what is out', () => {
    const backlog = ready();
    const seen = [backlog.isBehind];
    read(backlog, [row(1)]);
    seen.push(backlog.isBehind);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
    seen.push(backlog.isBehind);
    expect(seen).toEqual([true, true, false]);

    backlog.told('d2', copy(2, { epoch: 7 }), 0);
    const unsent = backlog.isBehind;
    backlog.takeUnsent(0);
    expect([unsent, backlog.isBehind]).toEqual([true, false]);

    backlog.woken(3);
    const woken = backlog.isBehind;
    read(backlog, []);
    expect([woken, backlog.isBehind]).toEqual([true, false]);

    backlog.poll(0);
    expect(backlog.isBehind).toBe(true);
  });

  it('goes back for a wake that names a lower seq', () => {
    const backlog = ready();
    read(backlog, [row(5)]);
    backlog.woken(3);

    read(backlog, [row(3), row(5)]);

    expect(ids(backlog)).toEqual(['d3', 'd5']);
  });

  it('finds by a poll a row that became visible late', () => {
    const backlog = ready();
    read(backlog, [row(5)]);
    backlog.poll(1_000);

    read(backlog, [row(4), row(5)], 1_000);

    expect(ids(backlog)).toEqual(['d4', 'd5']);
  });

  it('polls from where the cursor was more than ten seconds ago', () => {
    const backlog = ready();
    read(backlog, [row(5)]);
    for (const at of [0, 5_000, 11_000]) {
      backlog.poll(at);
      read(backlog, [row(5)], at);
    }

    backlog.poll(12_000);

    expect(backlog.nextRead(12_000)).toMatchObject({ afterSeq: 5 });
  });

  it('does not take back a row that ended while the read was under way', () => {
    const backlog = ready();
    read(backlog, [row(1, { orderingKey: 'k' })]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
    backlog.poll(0);
    const due = backlog.nextRead(0);
    if (due === undefined) throw new Error('no read is due');
    backlog.letGo('d1');
    backlog.took([row(1, { orderingKey: 'k', state: 'running' }), row(2, { orderingKey: 'k' })], due, 0);

    expect(ids(backlog)).toEqual(['d2']);
  });

  it('looks again, after a rest, at a row that could not be claimed', () => {
    const backlog = ready();
    read(backlog, [row(1), row(2)]);
    const [refused] = backlog.candidates(1, 0);
    if (refused === undefined) throw new Error('no candidate');
    backlog.refused(refused, 0);

    expect(ids(backlog)).toEqual(['d2']);
    expect(backlog.nextRead(50)).toBeUndefined();
    read(backlog, [row(1), row(2)], 200);
    expect(ids(backlog)).toEqual(['d1', 'd2']);
  });

  it('gives sent rows again whose ack is overdue, once a period', () => {
    const backlog = ready();
    read(backlog, [row(1)]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);

    expect(backlog.overdueAcks(9_999)).toEqual([]);
    expect(backlog.overdueAcks(10_000).map(({ id }) => id)).toEqual(['d1']);
    expect(backlog.overdueAcks(10_001)).toEqual([]);
  });

  it('gives every row once over many reads, however few it may hold', () => {
    const backlog = ready(1_024);
    let table = Array.from({ length: 17_000 }, (_, index) => row(index + 1));
    const seen: string[] = [];
    while (seen.length < 17_000) {
      if (backlog.nextRead(0) !== undefined) {
        backlog.woken(1);
        read(backlog, table);
      }
      for (const { id } of backlog.candidates(100, 0)) {
        backlog.claimed({ id, attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
        backlog.acked(id, 1);
        backlog.letGo(id);
        seen.push(id);
      }
      const over = new Set(seen.slice(-100));
      table = table.filter(({ id }) => !over.has(id));
    }

    expect(new Set(seen).size).toBe(17_000);
  });

  it('leaves out what rests, with its key after a failure and without it by its caller’s wish', () => {
    const backlog = ready();
    read(backlog, [
      row(1, { orderingKey: 'failed', restMs: 500, restsWithKey: true }),
      row(2, { orderingKey: 'failed' }),
      row(3, { orderingKey: 'later', restMs: 500 }),
      row(4, { orderingKey: 'later' }),
    ]);

    expect(ids(backlog, 499)).toEqual(['d4']);
    expect(ids(backlog, 500)).toEqual(['d1', 'd3']);
  });

  it('offers other keys however many rows one stuck key has', () => {
    const backlog = ready();
    const stuck = Array.from({ length: 9_000 }, (_, index) => row(index + 1, { orderingKey: 'stuck' }));
    const table = [...stuck, row(10_000, { orderingKey: 'other' })];
    while (backlog.nextRead(0) !== undefined) {
      backlog.woken(1);
      read(backlog, table);
    }
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);

    expect(ids(backlog)).toEqual(['d10000']);
  });

  it('keeps to itself what the broker is not capable of', () => {
    const backlog = ready();
    read(backlog, [row(1, { op: 'agent.start', orderingKey: 'k' }), row(2, { orderingKey: 'other' })]);

    expect(ids(backlog)).toEqual(['d2']);
  });

  it('has a floor that no live row is below', () => {
    const backlog = ready();
    read(backlog, [row(3), row(5), row(7)]);
    backlog.claimed({ id: 'd3', attempt: 1, remainingMs: 1_000, ageS: 0 }, 0);
    for (const at of [0, 5_000, 11_000]) {
      backlog.poll(at);
      read(backlog, [row(3, { state: 'running', attempt: 1 }), row(5), row(7)], at);
    }
    expect(backlog.floor).toBe(3);

    backlog.letGo('d3');
    expect(backlog.floor).toBe(5);
    for (const id of ['d5', 'd7']) backlog.letGo(id);
    expect(backlog.floor).toBe(8);
    backlog.woken(4);
    expect(backlog.floor).toBe(4);
  });

  it('asks to stop what its caller gave up and what is past its deadline, once a period until it is over', () => {
    const backlog = ready();
    read(backlog, [row(1), row(2), row(3)]);
    for (const id of ['d1', 'd2', 'd3']) backlog.claimed({ id, attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000, ageS: 0 }, 0);
    backlog.out.cancelRequested('d2');

    const asked = (now: number) => backlog.out.toStop(now).map(({ id }) => id);
    expect(asked(0)).toEqual(['d2']);
    expect(asked(4_999)).toEqual([]);
    expect(asked(5_000)).toEqual(['d2']);
    backlog.letGo('d2');
    expect(asked(60_000)).toEqual(['d1', 'd3']);
  });

  it('forgets what waits and was ended by somebody else, once it has looked there again', () => {
    const backlog = ready();
    read(backlog, [row(1, { op: 'agent.start', orderingKey: 'k' }), row(2, { orderingKey: 'k' })]);
    expect(ids(backlog)).toEqual([]);
    backlog.poll(0);

    read(backlog, [row(2, { orderingKey: 'k' })]);

    expect(ids(backlog)).toEqual(['d2']);
    expect(backlog.depth.waiting).toBe(1);
  });

  it('does not adopt what it is told has ended while the inventory was judged', () => {
    const backlog = new Backlog(link());
    const out = {
      id: 'd1',
      seq: 1,
      op: 'broker.ping',
      lane: 'normal',
      orderingKey: 'k',
      attempt: 1,
    } as const;

    backlog.judging();
    backlog.ended('d1');
    backlog.adopted({ ...out, cancelRequested: false, deadlineAt: 60_000 });

    expect([backlog.out.size, backlog.out.holdsKey('k')]).toEqual([0, false]);
  });

  it('reads from its floor again where a row with a key was refused: what holds the key may never have been read', () => {
    const backlog = ready();
    read(backlog, [row(2, { orderingKey: 'k' })]);
    const [candidate] = backlog.candidates(1, 0) as [Waiting];

    backlog.refused(candidate, 0);
    read(backlog, [row(1, { orderingKey: 'k' }), row(2, { orderingKey: 'k' })], 100);

    expect(ids(backlog)).toEqual(['d1']);
  });

  it('says whether the latest of its kind leaves an earlier one waiting', () => {
    const backlog = ready();
    const kind = { contract: 'latest_only', orderingKey: 'k' } as const;
    read(backlog, [row(1, { ...kind, restMs: 60_000 }), row(2, kind), row(3, { ...kind, orderingKey: 'o' })]);
    const [second, other] = backlog.candidates(2, 0) as [Waiting, Waiting];

    expect([second.id, backlog.replaces(second)]).toEqual(['d2', true]);
    expect([other.id, backlog.replaces(other)]).toEqual(['d3', false]);
    expect(backlog.replaces({ ...second, contract: 'until' })).toBe(false);
  });

  it('is told of an ending elsewhere, and forgets what it knows of it and nothing else', () => {
    const backlog = ready();
    read(backlog, [
      row(1),
      row(2, { orderingKey: 'k' }),
      row(3, { state: 'running', attempt: 1, orderingKey: 'o' }),
    ]);

    for (const id of ['d1', 'd3', 'unknown']) backlog.ended(id);

    expect(ids(backlog)).toEqual(['d2']);
    expect([backlog.depth, backlog.out.holdsKey('o')]).toEqual([{ waiting: 1, unacked: 0, out: 0 }, false]);
  });

  it.each([
    ['broker.ping', true],
    ['agent.message', false],
  ])('adopts %s, whose key is held then: %s', (op, isHeld) => {
    const backlog = ready();
    read(backlog, [row(1, { op, orderingKey: 'k' }), row(2, { orderingKey: 'k' })]);
    const { id, seq, lane } = row(1);
    const adopted = {
      id,
      seq,
      op,
      lane,
      orderingKey: 'k',
      attempt: 1,
      deadlineAt: 1,
      cancelRequested: false,
    };

    backlog.adopted(adopted);

    expect(ids(backlog)).toEqual(isHeld ? [] : ['d2']);
    expect(backlog.out.isHeld('d1', 1)).toBe(true);
  });

  it.each([
    ['claimed', 'agent.message', true],
    ['running', 'agent.message', false],
    ['running', 'broker.ping', true],
  ] as const)('that reads what is %s of %s, knows that its key is held: %s', (state, op, isHeld) => {
    const backlog = ready();
    read(backlog, [row(1, { state, op, attempt: 1, orderingKey: 'k' }), row(2, { orderingKey: 'k' })]);

    expect(ids(backlog)).toEqual(isHeld ? [] : ['d2']);
    expect(backlog.depth).toEqual({ waiting: state === 'claimed' ? 2 : 1, unacked: 0, out: 1 });
  });

  it('learns from a row that its caller gave it up, and only from one that says so', () => {
    const backlog = ready();
    const out = row(1, { state: 'running', attempt: 1 });
    read(backlog, [out]);
    backlog.woken(1);
    read(backlog, [out]);
    expect(backlog.out.isGivenUp('d1')).toBe(false);

    backlog.woken(1);
    read(backlog, [{ ...out, cancelRequested: true }]);

    expect(backlog.out.isGivenUp('d1')).toBe(true);
  });

  it('keeps the arguments of 512 commands, and leaves those of more in their rows', () => {
    const backlog = ready(1_024);
    const table = Array.from({ length: 600 }, (_none, index) => row(index + 1, { args: { index } }));
    while (backlog.depth.waiting < 600) read(backlog, table);

    const kept = backlog.candidates(1_000, 0).map(({ args }) => args !== null);

    expect(kept).toEqual(table.map((_row, index) => index < 512));
  });

  it('takes no more than it may hold, and reads on from there once there is room', () => {
    const backlog = ready();
    const most = 16_384;
    const table = Array.from({ length: most + 2 }, (_none, index) => row(index + 1));
    const readAll = () => {
      for (let due = backlog.nextRead(0); due !== undefined; due = backlog.nextRead(0)) {
        const { afterSeq } = due;
        backlog.took(table.filter(({ seq }) => seq > afterSeq).slice(0, due.most), due, 0);
      }
    };
    readAll();
    expect(backlog.depth.waiting).toBe(most);

    backlog.letGo('d1');
    readAll();
    expect(backlog.depth.waiting).toBe(most);
    backlog.letGo('d2');
    readAll();

    expect(backlog.depth.waiting).toBe(most);
  });

  it('reads again what a failed read was to find', () => {
    const backlog = ready();
    const due = backlog.nextRead(0)!;
    expect(backlog.nextRead(0)).toBeDefined();

    backlog.readFailed(due);
    read(backlog, [row(1)]);

    expect(ids(backlog)).toEqual(['d1']);
  });

  it('begins where the floor says, for its broker', () => {
    const backlog = ready();
    backlog.beginAt(40);

    expect(backlog.nextRead(0)).toMatchObject({ brokerId: backlog.brokerId, afterSeq: 39 });
  });

  it('offers what became visible late in its place', () => {
    const backlog = ready();
    read(backlog, [row(1), row(3)]);
    backlog.woken(2);
    read(backlog, [row(1), row(2), row(3)]);
    expect(ids(backlog)).toEqual(['d1', 'd2', 'd3']);

    backlog.woken(4);
    read(backlog, [row(1), row(2), row(3), row(4)]);

    expect(ids(backlog)).toEqual(['d1', 'd2', 'd3', 'd4']);
  });

  it('takes back what was let go once a later read finds it pending again', () => {
    const backlog = ready();
    read(backlog, [row(1)]);
    backlog.letGo('d1');
    backlog.woken(1);

    read(backlog, [row(1)]);

    expect(ids(backlog)).toEqual(['d1']);
  });

  it('lets go of the key of what it sent, where somebody has put that back', () => {
    const backlog = ready();
    read(backlog, [row(1, { orderingKey: 'k' }), row(2, { orderingKey: 'k' })]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1, ageS: 0 }, 0);
    backlog.woken(1);

    read(backlog, [row(1, { orderingKey: 'k', attempt: 1 }), row(2, { orderingKey: 'k' })]);

    expect([ids(backlog), backlog.out.size]).toEqual([['d1'], 0]);
  });
});
