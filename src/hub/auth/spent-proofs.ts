import { Injectable } from '@nestjs/common';
import type { BrokerProof } from './broker-proof.js';
import { Remembered } from './remembered.js';
import { endOf } from './signed-times.js';
import { SpentAssertionRepository, type SpentProof } from './spent-assertion.repository.js';

/** Whether a proof was taken just now, was taken before or is of no live key, or has ended by the database's clock. */
export type Spending = 'spent' | 'refused' | 'ended';

type Asked = SpentProof & { resolve: (spending: Spending) => void; reject: (error: unknown) => void };

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
  private waiting: Asked[] = [];
  private isWriting = false;

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
    return new Promise((resolve, reject) => {
      this.waiting.push({ jti, brokerId, publicKey, endsAt: endOf(proof), resolve, reject });
      if (!this.isWriting) void this.write();
    });
  }

  private async write(): Promise<void> {
    this.isWriting = true;
    while (this.waiting.length > 0) {
      const asked = this.waiting.splice(0, BATCH);
      try {
        const { now, spent } = await this.repository.spendProofs(asked);
        for (const { jti, endsAt, resolve } of asked)
          resolve(spent.has(jti) ? 'spent' : endsAt <= now ? 'ended' : 'refused');
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.isWriting = false;
  }
}
