import { Injectable } from '@nestjs/common';
import { ARRIVALS_REST_MS } from '../lifecycle/arrivals.js';
import { Group } from '../lifecycle/group.js';
import type { BrokerProof } from './broker-proof.js';
import { Remembered } from './remembered.js';
import { endOf } from './signed-times.js';
import { SpentAssertionRepository, type SpentProof } from './spent-assertion.repository.js';

/** Whether a proof was taken just now, was taken before or is of no live key, or has ended by the database's clock. */
export type Spending = 'spent' | 'refused' | 'ended';

/** How many ids of proofs are kept in mind, so that showing one again and again costs no look-up. */
const MOST = 10_000;
const KEPT_MS = 65_000;
/** A statement's worth; the others wait for the next. */
const BATCH = 500;

/**
 * The proofs with which brokers began a connection: each is taken once by the hub as a whole. A fleet that comes at once is
 * written with one statement at a time, and each of them writes for all that came meanwhile.
 */
@Injectable()
export class SpentProofs {
  private readonly seen: Remembered<true>;
  private readonly group = new Group<SpentProof, Spending>(
    (proofs) => this.write(proofs),
    BATCH,
    ARRIVALS_REST_MS,
  );

  constructor(private readonly repository: SpentAssertionRepository) {
    this.seen = new Remembered(MOST, () => performance.now());
  }

  /** Whether this replica has met the proof before: then it need not be asked about any further. */
  wasSeen({ jti }: BrokerProof): boolean {
    return this.seen.get(jti) !== undefined;
  }

  /** @throws DatabaseUnavailable where nobody can tell */
  spend(brokerId: string, proof: BrokerProof): Promise<Spending> {
    if (this.wasSeen(proof)) return Promise.resolve('refused');
    this.seen.set(proof.jti, true, KEPT_MS);
    const { jti, publicKey } = proof;
    return this.group.add({ jti, brokerId, publicKey, endsAt: endOf(proof) });
  }

  private async write(proofs: readonly SpentProof[]): Promise<Spending[]> {
    const { now, spent } = await this.repository.spendProofs(proofs);
    return proofs.map(({ jti, endsAt }) => (spent.has(jti) ? 'spent' : endsAt <= now ? 'ended' : 'refused'));
  }
}
