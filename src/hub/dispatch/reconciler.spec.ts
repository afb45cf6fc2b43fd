import { describe, expect, it, jest } from '@jest/globals';
import { linkOf, readInto } from '../../../test/support/ready-backlog.js';
import { readRow } from '../../../test/support/read-row.js';
import type { Replica } from '../cluster/replica.js';
import { Loops } from '../lifecycle/loops.js';
import type { Ownership } from '../registry/ownership.js';
import { Backlog } from './backlog.js';
import type { Backlogs } from './backlogs.js';
import type { ClaimRepository } from './claim.repository.js';
import type { Contracts } from './contracts.js';
import { Reconciler } from './reconciler.js';
import type { Sender } from './sender.js';
import { Steps } from './steps.js';

/** Brokers of which one statement may read. */
const MOST = 128;

/** The backlog of a broker of whose rows nothing is known yet. */
function unread(brokerId: string): Backlog {
  const backlog = new Backlog(linkOf(64, brokerId));
  backlog.isReady = true;
  return backlog;
}

/**
 * One turn for brokers of whose rows nothing is known yet.
 *
 * @param failAt which read fails
 * @param others brokers of which more is known
 */
async function turnFor(brokers: number, failAt?: number, others: readonly Backlog[] = []) {
  const all = [...others, ...Array.from({ length: brokers }, (_none, place) => unread(`b${place}`))];
  const reads: string[][] = [];
  const claims: string[] = [];
  const repository: Partial<ClaimRepository> = {
    claim: (_replicaId, asked, rows) => {
      claims.push(...rows.map(({ id }) => id));
      return Promise.resolve(asked.map(({ brokerId }) => ({ brokerId, owned: true, claimed: [] })));
    },
    readAhead: (asked) => {
      reads.push(asked.map(({ brokerId }) => brokerId));
      return reads.length === failAt ? Promise.reject(new Error('away')) : Promise.resolve([]);
    },
  };
  const loops = new Loops();
  const make = jest.spyOn(loops, 'make');
  new Reconciler(
    repository as ClaimRepository,
    { behind: () => all.filter(({ isBehind }) => isBehind) } as Backlogs,
    { send: () => Promise.resolve() } as Partial<Sender> as Sender,
    { judge: () => Promise.resolve() } as Partial<Contracts> as Contracts,
    {} as Ownership,
    { mayAct: true } as Replica,
    new Steps(),
    loops,
  );
  const failed = await make.mock.calls[0]![0].turn(new AbortController().signal).then(
    () => false,
    () => true,
  );
  return { reads, claims, failed, behind: all.filter(({ isBehind }) => isBehind).length };
}

describe('a round of the reconciler', () => {
  it('reads the rows of many brokers in statements of some of them, each of them once', async () => {
    const { reads, behind } = await turnFor(2 * MOST + 1);

    expect(reads.map(({ length }) => length)).toEqual([MOST, MOST, 1]);
    expect(new Set(reads.flat()).size).toBe(2 * MOST + 1);
    expect(behind).toBe(0);
  });

  it('still has to read what a statement that failed was to read, and all after it', async () => {
    const { reads, failed, behind } = await turnFor(3 * MOST, 2);

    expect([reads.length, failed, behind]).toEqual([2, true, 2 * MOST]);
  });

  it('claims what memory holds, also where a read fails', async () => {
    const held = unread('held');
    readInto(held, [readRow(1, { brokerId: 'held' })]);

    const { claims, failed } = await turnFor(1, 1, [held]);

    expect([claims, failed]).toEqual([['d1'], true]);
  });
});
