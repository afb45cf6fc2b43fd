import { Injectable } from '@nestjs/common';
import { errors, jwtVerify, SignJWT } from 'jose';
import { v4 as uuidv4 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import { Clock } from '../cluster/clock.js';
import { Hub } from '../cluster/hub.js';
import { CredentialInvalid } from './auth.errors.js';
import { SigningKeys } from './signing-keys.js';

const TYPE = 'fairlead-person+jwt';
export const ACCESS_LIVES_S = 15 * 60;

/** What somebody who has signed in shows with each request: a signed word of the hub, good for minutes. */
@Injectable()
export class SessionTokens {
  constructor(
    private readonly keys: SigningKeys,
    private readonly hub: Hub,
    private readonly clock: Clock,
  ) {}

  /** @throws DatabaseUnavailable */
  async mint(userId: string, sessionId: string): Promise<string> {
    const [{ kid, key }, urn] = await Promise.all([this.keys.current(), this.hub.urn()]);
    const issuedAtS = Math.floor(this.clock.now().getTime() / 1000);
    return new SignJWT({ sid: sessionId })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: TYPE })
      .setIssuer(urn)
      .setAudience(audienceOf(urn))
      .setSubject(userId)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + ACCESS_LIVES_S)
      .setJti(uuidv4())
      .sign(key);
  }

  /**
   * @returns the session that it is of; whether that goes on is in its row
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<string> {
    const urn = await this.hub.urn();
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.keyOf(kid), {
        algorithms: ['EdDSA'],
        typ: TYPE,
        issuer: urn,
        audience: audienceOf(urn),
        requiredClaims: ['sub', 'sid', 'exp', 'iat', 'jti'],
        currentDate: this.clock.now(),
      });
      const { sid } = payload;
      if (typeof sid !== 'string' || !isUuid(sid)) throw new CredentialInvalid();
      return sid;
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
  return `${urn}/api`;
}
