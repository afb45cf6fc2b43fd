import { Injectable } from '@nestjs/common';
import { isUuid } from '../../protocol/read.js';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import { CredentialInvalid } from './auth.errors.js';
import { SignedTokens } from './signed-tokens.js';
import { SigningKeys } from './signing-keys.js';

export const ACCESS_LIVES_S = 15 * 60;
const KIND = { typ: 'fairlead-person+jwt', audience: '/api', livesS: ACCESS_LIVES_S, claims: ['sid'] };

/** What somebody who has signed in shows with each request: a signed word of the hub, good for minutes. */
@Injectable()
export class SessionTokens {
  private readonly signed: SignedTokens;

  constructor(keys: SigningKeys, hub: Hub, clock: Clock) {
    this.signed = new SignedTokens(KIND, keys, hub, clock);
  }

  /** @throws DatabaseUnavailable */
  async mint(userId: string, sessionId: string): Promise<string> {
    return this.signed.mint(userId, { sid: sessionId });
  }

  /**
   * @returns the session that it is of; whether that goes on is in its row
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<string> {
    const { sid } = await this.signed.verify(token);
    if (typeof sid !== 'string' || !isUuid(sid)) throw new CredentialInvalid();
    return sid;
  }
}
