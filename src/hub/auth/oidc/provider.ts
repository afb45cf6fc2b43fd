import { Inject, Injectable, Logger } from '@nestjs/common';
import type * as Client from 'openid-client';
import { HUB_CONFIG } from '../../config/config.module.js';
import type { HubConfig, OidcConfig } from '../../config/hub-config.js';
import { NotFound } from '../../problems/coded.error.js';
import { ProviderRefused, ProviderUnavailable } from '../auth.errors.js';

/** Longer than a provider takes, and shorter than somebody waits. */
const ANSWER_WITHIN_S = 5;
/** What a provider says of itself changes rarely. */
const KNOWN_FOR_MS = 3_600_000;

/** What a sign-in must come back with, and what is kept of it meanwhile. */
export type Begun = { url: URL; state: string; nonce: string; verifier: string };

/** Whom the provider vouches for. */
export type Claims = { issuer: string; subject: string; email: string | null; isVerified: boolean };

/**
 * The OpenID provider of the organisation, asked by a certified client: code flow with PKCE, state and nonce. What the provider
 * cannot do is 503; what it refuses, or says wrongly, is 401.
 */
@Injectable()
export class Provider {
  private readonly log = new Logger('auth');
  private known: { at: Promise<Client.Configuration>; untilMs: number } | undefined;

  constructor(@Inject(HUB_CONFIG) private readonly config: Pick<HubConfig, 'oidc'>) {}

  get isServed(): boolean {
    return this.config.oidc !== null;
  }

  /** @throws NotFound where this hub has none */
  get settings(): OidcConfig {
    if (this.config.oidc === null) throw new NotFound('OpenID provider');
    return this.config.oidc;
  }

  /** @throws NotFound, ProviderUnavailable */
  async begin(redirectUri: string): Promise<Begun> {
    const client = await import('openid-client');
    const provider = await this.discovered(client);
    const [state, nonce, verifier] = [
      client.randomState(),
      client.randomNonce(),
      client.randomPKCECodeVerifier(),
    ];
    const url = client.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: 'openid email',
      response_type: 'code',
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return { url, state, nonce, verifier };
  }

  /**
   * @param returned the whole address to which the provider has sent the browser back
   * @throws ProviderRefused, ProviderUnavailable
   */
  async finish(returned: URL, { state, nonce, verifier }: Omit<Begun, 'url'>): Promise<Claims> {
    const client = await import('openid-client');
    const provider = await this.discovered(client);
    try {
      const tokens = await client.authorizationCodeGrant(provider, returned, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new ProviderRefused();
      // Providers may tell the address, and whether it is verified, in either place: both are taken from one.
      const isTold = claims.email !== undefined && claims.email_verified !== undefined;
      const told =
        !isTold && provider.serverMetadata().userinfo_endpoint !== undefined
          ? await client.fetchUserInfo(provider, tokens.access_token, claims.sub)
          : claims;
      return {
        issuer: claims.iss,
        subject: claims.sub,
        email: typeof told.email === 'string' ? told.email : null,
        isVerified: told.email_verified === true,
      };
    } catch (error) {
      throw this.translated(error, client);
    }
  }

  private async discovered(client: typeof Client): Promise<Client.Configuration> {
    const { issuer, clientId, clientSecret } = this.settings;
    if (this.known !== undefined && performance.now() < this.known.untilMs) return this.known.at;
    const execute = issuer.startsWith('http:') ? [client.allowInsecureRequests] : [];
    const asking = client
      .discovery(new URL(issuer), clientId, clientSecret, undefined, { execute, timeout: ANSWER_WITHIN_S })
      .catch((error: unknown) => {
        // The next who asks finds out anew.
        if (this.known?.at === asking) this.known = undefined;
        this.log.warn({ err: error, issuer }, 'the OpenID provider cannot be asked what it serves');
        throw new ProviderUnavailable(error);
      });
    this.known = { at: asking, untilMs: performance.now() + KNOWN_FOR_MS };
    return asking;
  }

  private translated(error: unknown, client: typeof Client): Error {
    if (error instanceof ProviderRefused) return error;
    if (error instanceof client.AuthorizationResponseError) {
      return OUTAGES.has(error.error) ? new ProviderUnavailable(error) : new ProviderRefused(error);
    }
    if (error instanceof client.ResponseBodyError) {
      // What is wrong with this hub's own registration is nobody's who signs in.
      const isOurs = ['invalid_client', 'unauthorized_client'].includes(error.error);
      if (isOurs) this.log.error({ err: error }, 'the OpenID provider does not take this hub for its client');
      return isOurs || error.status >= 500 ? new ProviderUnavailable(error) : new ProviderRefused(error);
    }
    const answered = statusOf(error);
    const code = error instanceof client.ClientError ? error.code : undefined;
    const isOut = answered === undefined ? code === undefined || TIMEOUTS.has(code) : answered >= 500;
    if (!isOut) return new ProviderRefused(error);
    this.log.warn({ err: error }, 'the OpenID provider does not answer');
    return new ProviderUnavailable(error);
  }
}

/** RFC 6749, 4.1.2.1. */
const OUTAGES: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable']);

/** Of an answer that does not conform, such as the page of a proxy. */
function statusOf(error: unknown): number | undefined {
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause instanceof Response ? cause.status : undefined;
}

const TIMEOUTS: ReadonlySet<string> = new Set(['OAUTH_TIMEOUT', 'OAUTH_ABORT']);
