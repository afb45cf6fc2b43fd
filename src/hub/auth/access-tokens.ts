import { Injectable } from '@nestjs/common';
import { isUuid } from '../../protocol/read.js';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import { ClockSkew, CredentialInvalid, CredentialMissing } from './auth.errors.js';
import { verifyProof, type BrokerProof, type Proven } from './broker-proof.js';
import { isCurrent } from './signed-times.js';
import { SignedTokens } from './signed-tokens.js';
import { SigningKeys } from './signing-keys.js';

const LIVES_S = 15 * 60;
/** What somebody has who was shown a good token and a good proof with it. */
export type ShownToken = { brokerId: string; expiresAt: Date; proof: BrokerProof };

const KIND = { typ: 'fairlead-broker+jwt', audience: '/control', livesS: LIVES_S, claims: ['cnf'] };

/**
 * What a broker shows on the control channel: a signed word of the hub, good for minutes, of use nowhere else and to nobody
 * who has not the broker's key.
 */
@Injectable()
export class AccessTokens {
  private readonly signed: SignedTokens;

  constructor(
    keys: SigningKeys,
    hub: Hub,
    private readonly clock: Clock,
  ) {
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
   * @returns whose token it is, when it ends by the hub's clock, and the thumbprint of the key that it is bound to
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<{ brokerId: string; expiresAt: Date; jkt: string }> {
    const { sub, exp, cnf } = await this.signed.verify(token);
    const jkt = (cnf as { jkt?: unknown } | null)?.jkt;
    if (!isUuid(sub) || exp === undefined || typeof jkt !== 'string') throw new CredentialInvalid();
    return { brokerId: sub, expiresAt: new Date(exp * 1000), jkt };
  }

  /**
   * The same for a token that is shown with a request, together with a proof that its holder has the key. Nothing is written:
   * the proof is not used up.
   *
   * @throws CredentialMissing where there is no proof
   * @throws CredentialInvalid also for a proof that is not one for this request by the key of this token
   * @throws ClockSkew where all is good but the time at which the proof was made
   */
  async prove(asked: Proven, proof: string | undefined): Promise<ShownToken> {
    const { brokerId, expiresAt, jkt } = await this.verify(asked.token);
    if (proof === undefined) throw new CredentialMissing('Send a proof of the key of the token as DPoP.');
    const shown = await verifyProof(proof, asked, jkt);
    if (!isCurrent(shown, this.clock.now())) throw new ClockSkew(this.clock.now());
    return { brokerId, expiresAt, proof: shown };
  }
}
