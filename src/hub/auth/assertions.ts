import { Injectable } from '@nestjs/common';
import { compactVerify, errors, importJWK } from 'jose';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import type { Run } from '../database/database.js';
import { readAssertion } from './assertion.js';
import { BrokerKeyRetired, ClockSkew, CredentialInvalid } from './auth.errors.js';
import { BrokerKeyRepository, type BrokerKeyRow } from './broker-key.repository.js';
import { jwkOf, thumbprintOf } from './ed25519.js';
import { endOf, isCurrent } from './signed-times.js';
import { SpentAssertionRepository } from './spent-assertion.repository.js';

/** An assertion whose signature is good, and which may have been used. */
export type Signed = {
  readonly brokerId: string;
  readonly jti: string;
  readonly endsAt: Date;
  readonly signer: BrokerKeyRow;
  /** Thumbprint (RFC 7638) of the key that signed. */
  readonly jkt: string;
};

/** Client assertions of brokers (RFC 7523): each proves once, to any replica, that its broker holds its key. */
@Injectable()
export class Assertions {
  constructor(
    private readonly keys: BrokerKeyRepository,
    private readonly spent: SpentAssertionRepository,
    private readonly hub: Hub,
    private readonly clock: Clock,
  ) {}

  /**
   * Checks an assertion and uses it up. Nothing is written before the signature is known to be good.
   *
   * @throws CredentialInvalid, BrokerKeyRetired, ClockSkew, DatabaseUnavailable
   */
  async redeem(compact: string): Promise<Signed> {
    const signed = await this.read(compact);
    await this.spend(signed);
    return signed;
  }

  /** Checks an assertion, which is not used up. @throws CredentialInvalid, BrokerKeyRetired, ClockSkew, DatabaseUnavailable */
  async read(compact: string): Promise<Signed> {
    const assertion = readAssertion(compact, await this.hub.urn());
    const signer = await signerOf(compact, await this.keys.list(assertion.brokerId));
    if (!isCurrent(assertion, this.clock.now())) throw new ClockSkew(this.clock.now());
    const { brokerId, jti } = assertion;
    return { brokerId, jti, endsAt: endOf(assertion), signer, jkt: thumbprintOf(signer.publicKey) };
  }

  /** Uses up what was read, if its key is still live. @throws CredentialInvalid, ClockSkew, DatabaseUnavailable */
  async spend({ jti, endsAt, signer }: Signed, run?: Run): Promise<void> {
    const { isSpent, hasEnded, now } = await this.spent.spend(jti, endsAt, signer.id, run);
    if (hasEnded) throw new ClockSkew(now);
    if (!isSpent) throw new CredentialInvalid();
  }
}

/** The live key that signed. Only who signs with a retired key learns that the hub knew it. */
async function signerOf(compact: string, keys: BrokerKeyRow[]): Promise<BrokerKeyRow> {
  for (const key of keys) {
    if (!(await isSignedBy(compact, key))) continue;
    if (key.isLive) return key;
    throw keys.some(({ isLive }) => isLive) ? new CredentialInvalid() : new BrokerKeyRetired();
  }
  throw new CredentialInvalid();
}

async function isSignedBy(compact: string, { publicKey }: BrokerKeyRow): Promise<boolean> {
  try {
    await compactVerify(compact, await importJWK(jwkOf(publicKey), 'EdDSA'), { algorithms: ['EdDSA'] });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw error;
  }
}
