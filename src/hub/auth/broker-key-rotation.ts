import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { ROTATE_KEY_PATH } from '../../protocol/version.js';
import { Clock } from '../cluster/clock.js';
import { Database, type Run } from '../database/database.js';
import type { Actor, Origin } from './actor.js';
import { Assertions, type Signed } from './assertions.js';
import type { Act, AuditEntry } from './audit-entry.js';
import { Audit } from './audit.js';
import {
  BrokerKeyMalformed,
  BrokerKeyUsed,
  BrokerKeyWaits,
  ClockSkew,
  CredentialInvalid,
  CredentialMissing,
} from './auth.errors.js';
import { BrokerKeyRepository } from './broker-key.repository.js';
import { isPublicKey } from './broker-keys.js';
import { verifyProof } from './broker-proof.js';
import { thumbprintOf } from './ed25519.js';
import { isCurrent } from './signed-times.js';

/** What a broker asks for that is to have another key. */
type Asked = {
  /** Signed with the key that it has. */
  assertion: string;
  publicKey: string;
  /** Signed with the new key, for this assertion alone. */
  proof: string | undefined;
};

const LAPSES_AT_ONCE = 100;

/**
 * How a broker comes by another key without a moment in which none of those it has is good:
 *
 *     (new) --begin, by the live key--> waits --first use--> live --first use of the next, revocation--> retired
 *                                         \--an hour, revocation--> retired
 *
 * While a key waits both are good. Its first use makes it the only one, in the transaction that takes the assertion: whoever
 * has stolen the one before has nothing from then on. One that is never used lapses, and the one before stays.
 */
@Injectable()
export class BrokerKeyRotation {
  constructor(
    private readonly assertions: Assertions,
    private readonly repository: BrokerKeyRepository,
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly clock: Clock,
  ) {}

  /**
   * Has a key wait for its first use. Safe to repeat: the same key goes on waiting, until the time that was told first.
   *
   * @param admit may refuse a broker that asks too often
   * @throws BrokerKeyMalformed, CredentialMissing, CredentialInvalid, BrokerKeyRetired, ClockSkew, BrokerKeyUsed, BrokerKeyWaits
   * @throws DatabaseUnavailable
   */
  async begin(
    { assertion, publicKey, proof }: Asked,
    origin: Origin,
    admit: (brokerId: string) => Promise<void>,
  ): Promise<{ thumbprint: string; confirmBy: Date }> {
    const thumbprint = await this.proven(assertion, publicKey, proof);
    const { brokerId, signer } = await this.assertions.redeem(assertion);
    await admit(brokerId);
    // The one before is still there to ask by; else a key could outlive its hour by begetting another.
    if (signer.isWaiting) throw new CredentialInvalid();
    const entry = entryOf('broker.key_begin', brokerId, publicKey, signer.id, origin);
    try {
      return await this.database.transaction(async (run) => {
        const held = await this.repository.lock(run, brokerId);
        if (!held.includes(signer.id)) throw new CredentialInvalid();
        await this.lapsed(run, brokerId);
        const id = uuidv7();
        const begun = await this.repository.begin(run, { id, brokerId, publicKey });
        if (begun === 'another waits') throw new BrokerKeyWaits();
        if (begun === 'was used') throw new BrokerKeyUsed();
        const { confirmBy } = begun;
        await this.audit.done(run, { ...entry, detail: { thumbprint, confirmBy } });
        return { thumbprint, confirmBy };
      });
    } catch (error) {
      await this.audit.refused({ ...entry, detail: { thumbprint } }, error);
      throw error;
    }
  }

  /**
   * Takes an assertion, and with it a key that waited, of which it is the first use.
   *
   * @throws CredentialInvalid, BrokerKeyRetired, ClockSkew, DatabaseUnavailable: then no key has changed
   */
  async redeem(compact: string, origin: Origin): Promise<Signed> {
    const signed = await this.assertions.read(compact);
    if (!signed.signer.isWaiting) await this.assertions.spend(signed);
    else await this.database.transaction((run) => this.confirm(run, signed, origin));
    return signed;
  }

  /** Notes keys that have lapsed; they were good for nothing before that. @returns how many, at most a batch */
  async sweep(): Promise<{ isBatch: boolean }> {
    const many = await this.database.transaction((run) => this.lapsed(run, null));
    return { isBatch: many === LAPSES_AT_ONCE };
  }

  private async confirm(run: Run, signed: Signed, origin: Origin): Promise<void> {
    const { brokerId, signer, jkt } = signed;
    await this.repository.lock(run, brokerId);
    await this.assertions.spend(signed, run);
    const ended = await this.repository.confirm(run, signer.id);
    // Two first uses at once: the other one has confirmed it.
    if (ended === undefined) return;
    const entry = entryOf('broker.key_confirm', brokerId, signer.publicKey, signer.id, origin);
    await this.audit.done(run, { ...entry, detail: { thumbprint: jkt, ended: ended.map(thumbprintOf) } });
  }

  private async lapsed(run: Run, brokerId: string | null): Promise<number> {
    const keys = await this.repository.lapse(run, brokerId, LAPSES_AT_ONCE);
    for (const { brokerId: of, publicKey } of keys)
      await this.audit.done(run, entryOf('broker.key_lapse', of, publicKey, null, null));
    return keys.length;
  }

  /** @returns the thumbprint of the new key */
  private async proven(token: string, publicKey: string, proof: string | undefined): Promise<string> {
    if (!isPublicKey(publicKey)) throw new BrokerKeyMalformed();
    if (proof === undefined) throw new CredentialMissing('Send a proof of the new key as DPoP.');
    const thumbprint = thumbprintOf(publicKey);
    const asked = { method: 'POST', path: ROTATE_KEY_PATH, token, connectionId: null };
    const shown = await verifyProof(proof, asked, thumbprint);
    if (!isCurrent(shown, this.clock.now())) throw new ClockSkew(this.clock.now());
    return thumbprint;
  }
}

/** @param credentialId the key that was shown; null for what came by itself */
function entryOf(
  act: Act,
  brokerId: string,
  publicKey: string,
  credentialId: string | null,
  origin: Origin | null,
): AuditEntry & { detail: object } {
  const actor: Actor = { kind: 'broker', id: brokerId, name: null, credentialId, origin };
  const subject = { kind: 'broker', id: brokerId, name: null } as const;
  return { act, actor, subject, detail: { thumbprint: thumbprintOf(publicKey) } };
}
