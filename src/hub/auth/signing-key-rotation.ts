import { Injectable, Logger } from '@nestjs/common';
import { Database } from '../database/database.js';
import type { Actor } from './actor.js';
import { Audit } from './audit.js';
import { Sealer } from './sealer.js';
import { SigningKeyRepository, type SigningKeyRow } from './signing-key.repository.js';
import { makeSigningKey, SigningKeys } from './signing-keys.js';

/** The signing keys in the hands of those who look after the hub. */
@Injectable()
export class SigningKeyRotation {
  private readonly log = new Logger('auth');

  constructor(
    private readonly repository: SigningKeyRepository,
    private readonly keys: SigningKeys,
    private readonly sealer: Sealer,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /** Newest first; those that nobody takes any more are left out. */
  async list(): Promise<readonly SigningKeyRow[]> {
    return this.repository.list();
  }

  /**
   * Makes the key that signs from now on, sealed under the newest seal key. Those before sign nothing more once each replica
   * has read of it, within 30 s, and are taken for an hour: nobody who holds a token notices.
   *
   * @throws DatabaseUnavailable: then nothing has changed
   */
  async rotate(actor: Actor): Promise<Pick<SigningKeyRow, 'id' | 'createdAt' | 'retiredAt'>> {
    const key = await makeSigningKey(this.sealer);
    const createdAt = await this.database.transaction(async (run) => {
      const madeAt = await this.repository.rotate(run, key);
      const subject = { kind: 'signing_key', id: key.id, name: null } as const;
      await this.audit.done(run, { act: 'signing_key.rotate', actor, subject });
      return madeAt;
    });
    try {
      await this.keys.refresh();
    } catch (error) {
      // The rotation is committed: whoever was told that it failed would rotate again. This replica reads of the key within 30 s
      // as the others do, and signs with the one before until then.
      this.log.warn({ err: error, kid: key.id }, 'a new signing key was not read at once');
    }
    return { id: key.id, createdAt, retiredAt: null };
  }
}
