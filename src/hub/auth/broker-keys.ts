import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Run } from '../database/database.js';
import { BrokerKeyMalformed, BrokerKeyTaken } from './auth.errors.js';
import { BrokerKeyRepository } from './broker-key.repository.js';

const KEY_BYTES = 32;

/** The public keys by which brokers prove who they are. The private halves never leave their machines. */
@Injectable()
export class BrokerKeys {
  constructor(private readonly repository: BrokerKeyRepository) {}

  /**
   * Gives a broker a key, within the transaction that creates the broker or renews its key.
   *
   * @param publicKey base64url of the 32 bytes of an Ed25519 public key
   * @throws BrokerKeyMalformed
   * @throws BrokerKeyTaken where any broker has or had the key
   */
  async store(run: Run, brokerId: string, publicKey: string): Promise<void> {
    if (!isPublicKey(publicKey)) throw new BrokerKeyMalformed();
    const isNew = await this.repository.store(run, { id: uuidv7(), brokerId, publicKey });
    if (!isNew) throw new BrokerKeyTaken();
  }

  /** The broker that has this key, if it is live and does not wait for its first use. @throws BrokerKeyMalformed */
  async holderOf(publicKey: string): Promise<string | undefined> {
    if (!isPublicKey(publicKey)) throw new BrokerKeyMalformed();
    return this.repository.holderOf(publicKey);
  }

  /** From the commit on the broker gets no access token; those it has run out within 15 minutes. */
  async retireAll(run: Run, brokerId: string): Promise<void> {
    await this.repository.retireAll(run, brokerId);
  }
}

/** One key has one text: another encoding of the same bytes would pass the unique constraint. */
export function isPublicKey(text: string): boolean {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === KEY_BYTES && bytes.toString('base64url') === text;
}
