import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { SpentAssertionRepository, SpentProof } from './spent-assertion.repository.js';
import { eventually } from '../../../test/support/eventually.js';
import { SpentProofs } from './spent-proofs.js';

const proof = (issuedAtS = 1000) => ({
  jti: randomUUID(),
  issuedAtS,
  expiresAtS: issuedAtS + 60,
  publicKey: 'k',
});

/** What is spent, statement by statement, each answered when the test says so. */
function bench(now = new Date(1_000_000)) {
  const statements: { proofs: readonly SpentProof[]; answer: (spent: string[]) => void; fail: () => void }[] =
    [];
  const repository = {
    spendProofs: (proofs: readonly SpentProof[]) =>
      new Promise((resolve, reject) =>
        statements.push({
          proofs,
          answer: (spent) => resolve({ now, spent: new Set(spent) }),
          fail: () => reject(new Error('the database is away')),
        }),
      ),
  };
  const statement = (index: number) => eventually(() => statements[index]);
  return { spent: new SpentProofs(repository as unknown as SpentAssertionRepository), statements, statement };
}

describe('proofs that are spent', () => {
  it('are written by one statement for all that came while another ran, each answered for itself', async () => {
    const { spent, statements, statement } = bench();
    const [first, taken, old, lost] = [proof(), proof(), proof(900), proof()];
    const begun = spent.spend('b', first);
    await statement(0);
    const rest = [taken, old, lost].map((each) => spent.spend('b', each));

    (await statement(0)).answer([first.jti]);
    (await statement(1)).answer([taken.jti]);

    expect(await begun).toBe('spent');
    expect(await Promise.all(rest)).toEqual(['spent', 'ended', 'refused']);
    expect(statements.map(({ proofs }) => proofs.length)).toEqual([1, 3]);
    expect(statements[0]?.proofs[0]).toMatchObject({ brokerId: 'b', endsAt: new Date(1_065_000) });
  });

  it('are refused here without a statement when they come again, whatever became of them', async () => {
    const { spent, statements, statement } = bench();
    const shown = proof();
    expect(spent.wasSeen(shown)).toBe(false);
    const failed = expect(spent.spend('b', shown)).rejects.toThrow('the database is away');
    (await statement(0)).fail();
    await failed;

    expect(spent.wasSeen(shown)).toBe(true);
    expect(await spent.spend('b', shown)).toBe('refused');
    expect(statements).toHaveLength(1);
  });

  it('go 500 to a statement', async () => {
    const { spent, statements, statement } = bench();
    const all = Array.from({ length: 501 }, () => spent.spend('b', proof()));
    for (let at = 0; at < 2; at += 1) (await statement(at)).answer([]);
    await Promise.all(all);

    expect(statements.map(({ proofs }) => proofs.length)).toEqual([500, 1]);
  });
});
