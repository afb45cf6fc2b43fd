import { Injectable } from '@nestjs/common';
import { isUuid } from '../../protocol/read.js';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import { CredentialInvalid } from './auth.errors.js';
import { SignedTokens } from './signed-tokens.js';
import { SigningKeys } from './signing-keys.js';

const LIVES_S = 15 * 60;
const KIND = { typ: 'fairlead-broker+jwt', audience: '/control', livesS: LIVES_S, claims: ['cnf'] };

/** What a broker shows on the control channel: a signed word of the hub, good for minutes, of use nowhere else. */
@Injectable()
export class AccessTokens {
  private readonly signed: SignedTokens;

  constructor(keys: SigningKeys, hub: Hub, clock: Clock) {
    this.signed = new SignedTokens(KIND, keys, hub, clock);
  }

  /**
   * @param jkt thumbprint (RFC 7638) of the broker's key, to which the token is bound
   * @throws DatabaseUnavailable
   */
  async mint(brokerId: string, jkt: string): Promise<{ token: string; expiresInS: number }> {
    return { token: await this.signed.mint(brokerId, { cnf: { jkt } }), expiresInS: LIVES_S };
  }

  /**
   * @returns whose token it is, and when it ends by the hub's clock
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<{ brokerId: string; expiresAt: Date }> {
    const { sub, exp } = await this.signed.verify(token);
    if (!isUuid(sub) || exp === undefined) throw new CredentialInvalid();
    return { brokerId: sub, expiresAt: new Date(exp * 1000) };
  }
}
