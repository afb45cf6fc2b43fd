import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Replica } from '../../cluster/replica.js';
import { HUB_CONFIG } from '../../config/config.module.js';
import type { HubConfig } from '../../config/hub-config.js';
import { isReading } from '../../http/reading.js';
import { isSame } from '../../http/same-text.js';
import { CredentialInvalid, CsrfRefused } from '../auth.errors.js';
import type { Principal } from '../principal.js';
import { SESSION_LIVES_S, Sessions } from '../sessions.js';
import { readCookie, writeCookie } from './cookie.js';
import { SealedCookies } from './sealed-cookies.js';

const PURPOSE = 'web session';
const CSRF_HEADER = 'x-csrf-token';

type Content = { sessionId: string; csrfToken: string };

/**
 * Sessions of browsers: a cookie that any replica can read holds the id of the session, and whether that goes on is in its
 * row. What changes something by a cookie proves that it comes from a page of this hub: by its origin, which a browser says of
 * itself, and by a token, which no other origin's page can read.
 */
@Injectable()
export class WebSessions {
  constructor(
    private readonly sessions: Sessions,
    private readonly cookies: SealedCookies,
    private readonly replica: Replica,
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
  ) {}

  /** Whether a request shows one, good or bad. */
  isShown(request: FastifyRequest): boolean {
    return readCookie(request.headers.cookie, this.cookie.name) !== undefined;
  }

  /** Who shows it. @throws CredentialInvalid; CsrfRefused for a change without its proof; DatabaseUnavailable */
  async authenticate(request: FastifyRequest): Promise<Principal> {
    const { sessionId, csrfToken } = this.contentOf(request);
    const principal = await this.sessions.find(sessionId);
    // What changes nothing needs no proof of where it comes from.
    if (!isReading(request)) {
      this.requireOwnOrigin(request);
      const shown = request.headers[CSRF_HEADER];
      if (typeof shown !== 'string' || !isSame(shown, csrfToken)) throw new CsrfRefused();
    }
    return principal;
  }

  /** What a page of this hub shows with what it changes. @throws CredentialInvalid */
  csrfTokenOf(request: FastifyRequest): string {
    return this.contentOf(request).csrfToken;
  }

  /** A sign-in by another origin's page would make somebody work under a name that is not theirs. @throws CsrfRefused */
  requireOwnOrigin({ headers }: FastifyRequest): void {
    if (headers.origin !== this.origin) throw new CsrfRefused();
  }

  /** Gives the browser the session. @returns what its pages show with what they change */
  give(reply: FastifyReply, sessionId: string): string {
    const csrfToken = randomBytes(32).toString('base64url');
    const sealed = this.cookies.seal(PURPOSE, { sessionId, csrfToken }, SESSION_LIVES_S);
    void reply.header('set-cookie', writeCookie(this.cookie, sealed, SESSION_LIVES_S, this.isSecure));
    return csrfToken;
  }

  /** Lets the browser forget it. */
  forget(reply: FastifyReply): void {
    void reply.header('set-cookie', writeCookie(this.cookie, '', 0, this.isSecure));
  }

  /** Whether browsers reach this hub by https. */
  get isSecure(): boolean {
    return this.origin.startsWith('https:');
  }

  /** Where browsers reach this hub: as it was told, and not by what a request says of itself. */
  get origin(): string {
    return this.config.publicUrl ?? this.replica.address ?? '';
  }

  /** By https under a name that no other host of the domain can set. */
  private get cookie() {
    const name = this.isSecure ? '__Host-fairlead-session' : 'fairlead-session';
    return { name, path: '/', sameSite: 'Strict' } as const;
  }

  private contentOf(request: FastifyRequest): Content {
    const value = readCookie(request.headers.cookie, this.cookie.name);
    const content = value === undefined ? undefined : this.cookies.open<Content>(PURPOSE, value);
    if (content === undefined) throw new CredentialInvalid();
    return content;
  }
}
