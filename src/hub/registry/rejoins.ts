import { Injectable } from '@nestjs/common';
import { JOIN_PATH } from '../../protocol/version.js';
import { ClockSkew, CredentialInvalid } from '../auth/auth.errors.js';
import { verifyProof, type BrokerProof } from '../auth/broker-proof.js';
import { BrokerKeys } from '../auth/broker-keys.js';
import { thumbprintOf } from '../auth/ed25519.js';
import { JoinTokens } from '../auth/join-tokens.js';
import { isCurrent } from '../auth/signed-times.js';
import { SpentProofs } from '../auth/spent-proofs.js';
import { Clock } from '../cluster/clock.js';
import { BrokerRepository } from './broker.repository.js';

type Again = { token: string; publicKey: string; fingerprint: string };

/**
 * Machines that join a second time, such as one that died before it had read the answer to the first. It gets its broker back
 * where it proves that it has the key, and is the machine that the key came from. Anybody else is told what a stranger is.
 */
@Injectable()
export class Rejoins {
  constructor(
    private readonly joinTokens: JoinTokens,
    private readonly keys: BrokerKeys,
    private readonly repository: BrokerRepository,
    private readonly spentProofs: SpentProofs,
    private readonly clock: Clock,
  ) {}

  /**
   * No seat is taken, so that the token may be used up: it was, where the answer to the first join was lost.
   *
   * @param proof of the key, for this join and this join token
   * @returns the broker and the token, or undefined where it is to join as any other
   * @throws JoinTokenInvalid, ClockSkew, DatabaseUnavailable
   * @throws CredentialInvalid where the proof was used before
   */
  async find(
    { token, publicKey, fingerprint }: Again,
    proof: string,
  ): Promise<{ brokerId: string; name: string; joinTokenId: string } | undefined> {
    // A key that nobody has is that of a first join, which asks about its token itself.
    const brokerId = await this.keys.holderOf(publicKey);
    if (brokerId === undefined) return undefined;
    const joinTokenId = await this.joinTokens.peek(token);
    const name = await this.repository.nameOnMachine(brokerId, fingerprint);
    if (name === undefined) return undefined;
    const proven = await provenBy(publicKey, token, proof);
    if (proven === undefined) return undefined;
    if (!isCurrent(proven, this.clock.now())) throw new ClockSkew(this.clock.now());
    if ((await this.spentProofs.spend(brokerId, proven)) !== 'spent') throw new CredentialInvalid();
    return { brokerId, name, joinTokenId };
  }
}

async function provenBy(publicKey: string, token: string, proof: string): Promise<BrokerProof | undefined> {
  const jkt = thumbprintOf(publicKey);
  try {
    return await verifyProof(proof, { method: 'POST', path: JOIN_PATH, token, connectionId: null }, jkt);
  } catch (error) {
    if (error instanceof CredentialInvalid) return undefined;
    throw error;
  }
}
