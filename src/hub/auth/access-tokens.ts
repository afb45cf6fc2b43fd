import { Injectable } from '@nestjs/common';
import { errors, jwtVerify, SignJWT } from 'jose';
import { v4 as uuidv4 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import { CredentialInvalid } from './auth.errors.js';
import { SigningKeys } from './signing-keys.js';

const TYPE = 'fairlead-broker+jwt';
const LIVES_S = 15 * 60;

/** What a broker shows on the control channel: a signed word of the hub, good for minutes, of use nowhere else. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly keys: SigningKeys,
    private readonly hub: Hub,
    private readonly clock: Clock,
  ) {}

  /**
   * @param jkt thumbprint (RFC 7638) of the broker's key, to which the token is bound
   * @throws DatabaseUnavailable
   */
  async mint(brokerId: string, jkt: string): Promise<{ token: string; expiresInS: number }> {
    const [{ kid, key }, urn] = await Promise.all([this.keys.current(), this.hub.urn()]);
    const issuedAtS = Math.floor(this.clock.now().getTime() / 1000);
    const token = await new SignJWT({ cnf: { jkt } })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: TYPE })
      .setIssuer(urn)
      .setAudience(audienceOf(urn))
      .setSubject(brokerId)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + LIVES_S)
      .setJti(uuidv4())
      .sign(key);
    return { token, expiresInS: LIVES_S };
  }

  /**
   * @returns whose token it is, and when it ends by the hub's clock
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<{ brokerId: string; expiresAt: Date }> {
    const urn = await this.hub.urn();
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.keyOf(kid), {
        algorithms: ['EdDSA'],
        typ: TYPE,
        issuer: urn,
        audience: audienceOf(urn),
        requiredClaims: ['sub', 'exp', 'iat', 'jti', 'cnf'],
        currentDate: this.clock.now(),
      });
      const { sub, exp } = payload;
      if (!isUuid(sub) || exp === undefined) throw new CredentialInvalid();
      return { brokerId: sub, expiresAt: new Date(exp * 1000) };
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new CredentialInvalid(error);
      throw error;
    }
  }

  private async keyOf(kid: string | undefined) {
    const key = kid === undefined ? undefined : await this.keys.find(kid);
    if (key === undefined) throw new CredentialInvalid();
    return key;
  }
}

function audienceOf(urn: string): string {
  return `${urn}/control`;
}
