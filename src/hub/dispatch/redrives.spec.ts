import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DatabaseUnavailable } from '../database/database.errors.js';
import { EVERYWHERE } from '../auth/scope.js';
import type { Asking } from './caller.js';
import type { Draft } from './draft.js';
import type { DispatchRecord } from './record.js';
import { Redrives, type Redriven } from './redrives.js';

const FROM = '0199f1a2-7c44-7e11-9d5e-111111111111';
const INITIATOR = { kind: 'person', id: 'p', name: 'p', credentialId: null, requestId: 'r' } as const;
const KEYED: Asking = { initiator: INITIATOR, idempotency: { scope: 's', key: 'k', requestHash: 'h' } };
const DEAD = {
  ...{ id: FROM, seq: 1, projectId: null, brokerId: 'b', agentId: null, op: 'broker.ping', args: {} },
  ...{ createdAt: new Date(0), deadlineAt: new Date(60_000) },
};

describe('a redrive whose commit is in doubt', () => {
  let redrives: Redrives;
  let kept: Redriven | undefined;
  let isOnRecord: boolean;
  let answers: () => Redriven | undefined;
  const committed = jest.fn();
  const lookedUp = jest.fn();

  beforeEach(() => {
    kept = undefined;
    isOnRecord = false;
    answers = () => kept;
    jest.clearAllMocks();
    const dispatches = {
      listNotRedriven: () =>
        Promise.resolve({ rows: [{ ...DEAD, state: 'dead' } as DispatchRecord], isCut: false }),
      isAnyOnRecord: (ids: readonly string[]) => {
        lookedUp(ids);
        return Promise.resolve(isOnRecord);
      },
    };
    const submission = {
      submitWithin: (_run: unknown, drafts: readonly Draft[]) =>
        Promise.resolve({ outcomes: drafts.map(({ id }) => id), committed }),
    };
    const keys = {
      answerTo: () => Promise.resolve(answers()),
      once: async (_run: unknown, idempotency: unknown, work: () => Promise<Redriven>) => {
        const answer = await work();
        // As its transaction leaves it, where that was committed.
        if (isOnRecord && idempotency !== undefined) kept = answer;
        return answer;
      },
    };
    const database = {
      run: () => Promise.resolve([]),
      transaction: async (work: (run: unknown) => Promise<unknown>) => {
        await work(database.run);
        throw new DatabaseUnavailable(new Error('the connection broke'), 'in_doubt');
      },
    };
    const fakes = [dispatches, submission, keys, {}, database];
    redrives = new Redrives(...(fakes as unknown as ConstructorParameters<typeof Redrives>));
  });

  const matching = (asking: Asking) => redrives.matching({ state: 'dead', limit: 1 }, asking, EVERYWHERE);

  it('was done where its key is on record with the answer, and wakes who has to know', async () => {
    isOnRecord = true;

    expect(await matching(KEYED)).toEqual({
      redriven: [{ from: FROM, to: expect.any(String) }],
      refused: [],
      next: null,
    });
    expect(committed).toHaveBeenCalledTimes(1);
  });

  it('was done where its commands are on record, if it had no key', async () => {
    isOnRecord = true;

    const { redriven } = await matching({ initiator: INITIATOR });

    expect(lookedUp).toHaveBeenCalledWith(redriven.map(({ to }) => to));
    expect(committed).toHaveBeenCalledTimes(1);
  });

  it('may have been done where a repeat has the answer by now, and not these commands', async () => {
    kept = { redriven: [{ from: FROM, to: 'of the repeat' }], refused: [], next: null };
    let looks = 0;
    isOnRecord = false;
    answers = () => (looks++ === 0 ? undefined : kept);

    await expect(matching(KEYED)).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(committed).not.toHaveBeenCalled();
  }, 30_000);

  it('may have been done where neither is found, and names what to look for', async () => {
    await expect(matching(KEYED)).rejects.toMatchObject({
      code: 'outcome_unknown',
      extra: { members: { dispatchIds: [expect.any(String)] } },
    });
    expect(committed).not.toHaveBeenCalled();
  }, 30_000);
});
