import { afterEach, expect, it, jest } from '@jest/globals';
import { plainDraft } from '../../../test/support/plain-draft.js';
import type { Draft } from './draft.js';
import { Submission } from './submission.js';

afterEach(() => void jest.restoreAllMocks());

/** As many as two statements of a transaction store. */
const DRAFTS = Array.from({ length: 65 }, (_none, place) => plainDraft(`d${place}`));

const storedAs = (drafts: readonly Draft[]) =>
  drafts.map((_draft, place) => ({ seq: place + 1, depth: 1, createdAt: new Date() }));

/** @param insert what a statement does that stores commands */
function submissionOf(
  insert: (drafts: readonly Draft[]) => Promise<object[]>,
  replica: { mayAct: boolean } = { mayAct: true },
) {
  const sealed = { seal: (_op: string, _id: string, args: object) => args };
  const acting = Object.assign(replica, { id: 'r', assertMayAct: () => undefined });
  const steps = { batch: () => undefined, tell: () => undefined };
  const handOff = { offer: () => undefined, took: () => undefined };
  const keys = { winnersOf: () => Promise.resolve([]) };
  const contracts = { judge: () => Promise.resolve() };
  const intake = { during: (_draft: Draft, store: () => unknown) => store() };
  const given = [
    ...[{ insert }, acting, { tell: () => undefined }, contracts, sealed, steps, handOff, keys],
    ...[{}, intake],
  ];
  return new Submission(...(given as unknown as ConstructorParameters<typeof Submission>));
}

/** A submission whose every statement takes so long. */
function slowSubmission(statementMs: number) {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  return submissionOf((drafts) => {
    now += statementMs;
    return Promise.resolve(storedAs(drafts));
  });
}

it('stores together what takes 5 s, and nothing of what takes longer', async () => {
  const run = () => Promise.resolve([]);

  const { outcomes } = await slowSubmission(2_500).submitWithin(run, DRAFTS);
  const late = slowSubmission(2_501).submitWithin(run, DRAFTS);

  expect(outcomes).toEqual(DRAFTS.map(({ id }) => id));
  await expect(late).rejects.toMatchObject({ code: 'database_unavailable' });
});

it('stores nothing of what waited for a statement until the replica might not act any more', async () => {
  const replica = { mayAct: true };
  const statements: string[][] = [];
  let begun: () => void = () => undefined;
  let answer: () => void = () => undefined;
  const isBegun = new Promise<void>((resolve) => (begun = resolve));
  const submission = submissionOf(async (drafts) => {
    statements.push(drafts.map(({ id }) => id));
    begun();
    if (statements.length === 1) await new Promise<void>((resolve) => (answer = resolve));
    return storedAs(drafts);
  }, replica);

  const first = submission.submit(plainDraft('first'));
  await isBegun;
  const waiting = ['second', 'third'].map((id) => submission.submit(plainDraft(id)));
  const refused = Promise.all(
    waiting.map((submitted) => expect(submitted).rejects.toMatchObject({ code: 'replica_fenced' })),
  );
  replica.mayAct = false;
  answer();

  expect(await first).toMatchObject({ id: 'first', isRepeat: false });
  await refused;
  expect(statements).toEqual([['first']]);
});
