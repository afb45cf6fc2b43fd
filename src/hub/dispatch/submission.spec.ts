import { afterEach, expect, it, jest } from '@jest/globals';
import { plainDraft } from '../../../test/support/plain-draft.js';
import type { Draft } from './draft.js';
import { Submission } from './submission.js';

afterEach(() => void jest.restoreAllMocks());

/** As many as two statements of a transaction store. */
const DRAFTS = Array.from({ length: 65 }, (_none, place) => plainDraft(`d${place}`));

/** A submission whose every statement takes so long. */
function submissionOf(statementMs: number) {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const repository = {
    insert: (drafts: readonly Draft[]) => {
      now += statementMs;
      return Promise.resolve(
        drafts.map((_draft, place) => ({ seq: place + 1, depth: 1, createdAt: new Date() })),
      );
    },
  };
  const sealed = { seal: (_op: string, _id: string, args: object) => args };
  const replica = { id: 'r', assertMayAct: () => undefined };
  const keys = { winnersOf: () => Promise.resolve([]) };
  const given = [repository, replica, {}, {}, sealed, {}, {}, keys, {}, {}];
  return new Submission(...(given as unknown as ConstructorParameters<typeof Submission>));
}

it('stores together what takes 5 s, and nothing of what takes longer', async () => {
  const run = () => Promise.resolve([]);

  const { outcomes } = await submissionOf(2_500).submitWithin(run, DRAFTS);
  const late = submissionOf(2_501).submitWithin(run, DRAFTS);

  expect(outcomes).toEqual(DRAFTS.map(({ id }) => id));
  await expect(late).rejects.toMatchObject({ code: 'database_unavailable' });
});
