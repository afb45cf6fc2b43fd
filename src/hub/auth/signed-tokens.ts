import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { v4 as uuidv4 } from 'uuid';
import type { Clock } from '../cluster/clock.js';
import type { Hub } from '../cluster/hub.js';
import { CredentialInvalid } from './auth.errors.js';
import type { SigningKeys } from './signing-keys.js';

/** How tokens of one kind are told from those of every other: none is good where another belongs. */
type TokenKind = {
  typ: string;
  /** Follows the hub's name. */
  audience: string;
  livesS: number;
  /** What each has beside a subject, its times and an id. */
  claims: readonly string[];
};

/** Signed words of the hub of one kind (JWT, RFC 7519), good for minutes, at all replicas. */
export class SignedTokens {
  constructor(
    private readonly kind: TokenKind,
    private readonly keys: SigningKeys,
    private readonly hub: Hub,
    private readonly clock: Clock,
  ) {}

  /** @throws DatabaseUnavailable */
  async mint(subject: string, claims: JWTPayload): Promise<string> {
    const { typ, audience, livesS } = this.kind;
    const [{ kid, key }, urn] = await Promise.all([this.keys.current(), this.hub.urn()]);
    const issuedAtS = Math.floor(this.clock.now().getTime() / 1000);
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid, typ })
      .setIssuer(urn)
      .setAudience(urn + audience)
      .setSubject(subject)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(issuedAtS + livesS)
      .setJti(uuidv4())
      .sign(key);
  }

  /**
   * @throws CredentialInvalid for a token that is expired, of another kind, or not this hub's
   * @throws DatabaseUnavailable where the keys cannot be read: neither yes nor no
   */
  async verify(token: string): Promise<JWTPayload> {
    const { typ, audience, claims } = this.kind;
    const urn = await this.hub.urn();
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.keyOf(kid), {
        algorithms: ['EdDSA'],
        typ,
        issuer: urn,
        audience: urn + audience,
        requiredClaims: ['sub', 'exp', 'iat', 'jti', ...claims],
        currentDate: this.clock.now(),
      });
      return payload;
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
