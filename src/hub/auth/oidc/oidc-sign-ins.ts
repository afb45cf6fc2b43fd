import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { isAllowed } from '../../config/allow-list.js';
import { Database, type Run } from '../../database/database.js';
import type { Actor, Origin } from '../actor.js';
import { Audit } from '../audit.js';
import { EmailUnverified, IdentityTaken, NotListed, SignInRefused } from '../auth.errors.js';
import { EMAIL, EMAIL_MOST } from '../dto/user.dto.js';
import { Sessions } from '../sessions.js';
import { IdentityRepository, type KnownUser } from './identity.repository.js';
import { nameFor } from './name-for.js';
import { Provider, type Claims } from './provider.js';

/** Names that are tried for somebody new, each with another number behind it. */
const NAMES_MOST = 50;

type Vouched = Claims & { email: string };

/**
 * Whom an OpenID provider vouches for, and who that is here.
 *
 * 1. Who has come by this issuer and subject before is who they were then, whatever their address is now.
 * 2. Else an address counts if the provider says that it is verified, and without case.
 * 3. The user with this address is it, who is known by this subject from now on; if that user is known to the issuer by
 *    another already, it is refused, since an address may be given to somebody else.
 * 4. Else, if the allow-list has the address or its domain, a new member.
 *
 * Nobody is let in whom the hub has disabled, and nobody's role is the provider's business.
 */
@Injectable()
export class OidcSignIns {
  constructor(
    private readonly provider: Provider,
    private readonly identities: IdentityRepository,
    private readonly sessions: Sessions,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /**
   * Begins a session that goes on by a cookie.
   *
   * @returns its id
   * @throws EmailUnverified, SignInRefused, IdentityTaken, NotListed
   */
  async signIn(claims: Claims, origin: Origin): Promise<string> {
    const { issuer, subject } = claims;
    const known = await this.identities.byIdentity(issuer, subject);
    if (known !== undefined) return this.begin(known, issuer, origin);
    try {
      return await this.database.transaction(async (run) => {
        const met = await this.meet(run, vouched(claims), origin);
        return this.sessions.beginInBrowser(run, met, origin, { issuer });
      });
    } catch (error) {
      // Another sign-in by the same subject may have been faster: then nothing was made here, and who it is stands there now.
      const met =
        error instanceof IdentityTaken ? await this.identities.byIdentity(issuer, subject) : undefined;
      if (met === undefined) throw error;
      return this.begin(met, issuer, origin);
    }
  }

  private async begin(user: KnownUser, issuer: string, origin: Origin): Promise<string> {
    if (!user.isLetIn) throw new SignInRefused();
    return this.database.transaction((run) => this.sessions.beginInBrowser(run, user, origin, { issuer }));
  }

  /** Who comes by this subject for the first time. */
  private async meet(run: Run, claims: Vouched, origin: Origin): Promise<KnownUser> {
    const { issuer, subject, email } = claims;
    const user = (await this.identities.byEmail(run, email)) ?? (await this.make(run, claims, origin));
    if (!user.isLetIn) throw new SignInRefused();
    if (!(await this.identities.link(run, issuer, subject, user.userId))) throw new IdentityTaken();
    await this.note(run, 'user.link', user, { issuer, subject, email }, origin);
    return user;
  }

  private async make(run: Run, { issuer, email }: Vouched, origin: Origin): Promise<KnownUser> {
    if (!isAllowed(this.provider.settings.allow, email)) throw new NotListed();
    const userId = uuidv7();
    for (let tried = 1; tried <= NAMES_MOST; tried += 1) {
      const name = nameFor(email, tried);
      if (await this.identities.create(run, userId, name, email)) {
        const user = { userId, name, isLetIn: true };
        await this.note(run, 'user.create', user, { role: 'member', email, issuer }, origin);
        return user;
      }
      // Somebody with this address may have come at the same time.
      const other = await this.identities.byEmail(run, email);
      if (other !== undefined) return other;
    }
    throw new IdentityTaken();
  }

  private async note(
    run: Run,
    act: 'user.create' | 'user.link',
    { userId: id, name }: KnownUser,
    detail: object,
    origin: Origin,
  ): Promise<void> {
    const actor: Actor = { kind: 'person', id, name, credentialId: null, origin };
    await this.audit.done(run, { act, actor, subject: { kind: 'user', id, name }, detail });
  }
}

/** @throws EmailUnverified where the address counts for nothing */
function vouched(claims: Claims): Vouched {
  const { email, isVerified } = claims;
  if (email === null || !isVerified || email.length > EMAIL_MOST || !EMAIL.test(email))
    throw new EmailUnverified();
  return { ...claims, email: email.toLowerCase() };
}
