import { describe, expect, it } from '@jest/globals';
import type { Link } from '../registry/link.js';
import { Backlog, type Read } from './backlog.js';
import type { ReadRow } from './claim.repository.js';

const link = (window = 64) => ({ brokerId: 'b', carriesWork: true, facts: { window } }) as unknown as Link;

const row = (seq: number, overrides: Partial<ReadRow> = {}): ReadRow => ({
  id: `d${seq}`,
  brokerId: 'b',
  seq,
  state: 'pending',
  attempt: 0,
  op: 'broker.ping',
  lane: 'normal',
  orderingKey: null,
  args: {},
  remainingMs: 60_000,
  ...overrides,
});

function ready(window?: number): Backlog {
  const backlog = new Backlog(link(window));
  backlog.isReady = true;
  return backlog;
}

/** Does the read that is due, on a table of rows. */
function read(backlog: Backlog, table: ReadRow[], now = 0): Read {
  const due = backlog.nextRead(now);
  if (due === undefined) throw new Error('no read is due');
  backlog.took(table.filter(({ seq }) => seq > due.afterSeq).slice(0, due.most), due, now);
  return due;
}

const ids = (backlog: Backlog) => backlog.candidates(100).map(({ id }) => id);

describe('the backlog of a broker', () => {
  it('offers nothing before the inventory was taken', () => {
    const backlog = new Backlog(link());
    read(backlog, [row(1)]);

    expect(ids(backlog)).toEqual([]);
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
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000 }, 0);
    backlog.acked('d1', 1);

    expect(ids(backlog)).toEqual([]);
    backlog.letGo('d1');
    expect(ids(backlog)).toEqual(['d2']);
  });

  it('offers no more than the window has room for, and an ack makes room', () => {
    const backlog = ready(2);
    read(backlog, [row(1), row(2), row(3)]);
    for (const id of ['d1', 'd2']) backlog.claimed({ id, attempt: 1, remainingMs: 1_000 }, 0);

    expect(ids(backlog)).toEqual([]);
    backlog.acked('d1', 1);
    expect(ids(backlog)).toEqual(['d3']);
  });

  it('repeats at once what was claimed here by a claim whose answer was lost', () => {
    const backlog = ready();
    read(backlog, [row(1, { state: 'claimed', attempt: 1, orderingKey: 'k' })]);

    expect(backlog.overdueAcks(0)).toMatchObject([{ id: 'd1', attempt: 1, deadlineAt: 60_000 }]);
    expect(backlog.idsOut).toEqual(['d1']);
  });

  it('does not repeat what was acked, however long the row says claimed', () => {
    const backlog = ready();
    read(backlog, [row(1)]);
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000 }, 0);
    backlog.acked('d1', 1);
    backlog.poll(0);
    read(backlog, [row(1, { state: 'claimed', attempt: 1 })]);

    expect(backlog.overdueAcks(60_000)).toEqual([]);
  });

  it('takes no ack of an earlier attempt for one of the attempt that is out', () => {
    const backlog = ready();
    read(backlog, [row(1)]);
    backlog.claimed({ id: 'd1', attempt: 2, remainingMs: 60_000 }, 0);

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
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 1_000 }, 0);
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
    const [refused] = backlog.candidates(1);
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
    backlog.claimed({ id: 'd1', attempt: 1, remainingMs: 60_000 }, 0);

    expect(backlog.overdueAcks(9_999)).toEqual([]);
    expect(backlog.overdueAcks(10_000).map(({ id }) => id)).toEqual(['d1']);
    expect(backlog.overdueAcks(10_001)).toEqual([]);
  });

  it('gives every row once over many reads, however few it may hold', () => {
    const backlog = ready(1_024);
    let table = Array.from({ length: 3_000 }, (_, index) => row(index + 1));
    const seen: string[] = [];
    while (seen.length < 3_000) {
      if (backlog.nextRead(0) !== undefined) {
        backlog.woken(1);
        read(backlog, table);
      }
      for (const { id } of backlog.candidates(100)) {
        backlog.claimed({ id, attempt: 1, remainingMs: 1_000 }, 0);
        backlog.acked(id, 1);
        backlog.letGo(id);
        seen.push(id);
        table = table.filter((each) => each.id !== id);
      }
    }

    expect(new Set(seen).size).toBe(3_000);
  });
});
