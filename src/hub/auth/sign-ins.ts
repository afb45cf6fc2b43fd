import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import type { Actor, Origin } from './actor.js';
import { Audit } from './audit.js';
import { Forbidden, InviteInvalid, SignInRefused } from './auth.errors.js';
import { hashOpaque } from './opaque-token.js';
import { Passwords } from './passwords.js';
import { PeopleNews } from './people-news.js';
import type { Principal } from './principal.js';
import { Sessions, type Signed } from './sessions.js';
import { SignInRepository, type Known } from './sign-in.repository.js';

/** How people come to a session: by a password, and to their first password by an invite. */
@Injectable()
export class SignIns {
  constructor(
    private readonly repository: SignInRepository,
    private readonly passwords: Passwords,
    private readonly sessions: Sessions,
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly news: PeopleNews,
  ) {}

  /**
   * Begins a session. What is refused leaves no row in the audit, which anybody could fill otherwise.
   *
   * @param user a name or an address
   * @throws SignInRefused for an unknown user, one that is not let in or has no password, and a wrong password, alike;
   *   SignInsBusy
   */
  async byPassword(user: string, password: string, origin: Origin): Promise<Signed> {
    const begun = await this.signIn(user, password, (run, person) =>
      this.sessions.begin(run, person, origin),
    );
    return begun.signed();
  }

  /** As `byPassword`, for a session that goes on by a cookie. @returns its id */
  async byPasswordInBrowser(user: string, password: string, origin: Origin): Promise<string> {
    return this.signIn(user, password, (run, person) => this.sessions.beginInBrowser(run, person, origin));
  }

  /**
   * While a password waits for its turn another may be set, which ends all sessions: none begins by the one before, since that is
   * held until the session is there to be ended.
   */
  private async signIn<T>(
    user: string,
    password: string,
    begin: (run: Run, person: Known) => Promise<T>,
  ): Promise<T> {
    const known = await this.repository.know(user);
    const hash = known?.hash ?? undefined;
    const isRight = await this.passwords.isRight(password, hash);
    if (known === undefined || hash === undefined || !isRight) throw new SignInRefused();
    return this.database.transaction(async (run) => {
      if (!(await this.repository.holdPassword(run, known.userId, hash))) throw new SignInRefused();
      return begin(run, known);
    });
  }

  /** Sets the password, ends all sessions, and begins one. @throws InviteInvalid, SignInsBusy */
  async redeem(token: string, password: string, origin: Origin): Promise<Signed> {
    const hash = hashOpaque('invite', token);
    // Passwords are hashed for who can set one: else anybody could hold up all that sign in.
    if (hash === undefined || !(await this.repository.isOpen(hash))) throw new InviteInvalid();
    const made = await this.passwords.hash(password);
    const { userId, session } = await this.database.transaction(async (run) => {
      const invite = await this.repository.redeem(run, hash);
      if (invite === undefined) throw new InviteInvalid();
      await this.repository.setPassword(run, invite.userId, made);
      await this.sessions.endWithin(run, invite.userId, null);
      const begun = await this.sessions.begin(run, invite, origin);
      const { userId: id, name } = invite;
      const actor: Actor = { kind: 'person', id, name, credentialId: begun.id, origin };
      const subject = { kind: 'user', id, name } as const;
      await this.audit.done(run, { act: 'invite.redeem', actor, subject, detail: { invite: invite.id } });
      return { userId: id, session: begun };
    });
    await this.news.tell(userId);
    return session.signed();
  }

  /**
   * Changes the caller's own password, and ends its other sessions.
   *
   * @param current undefined is right for who has none
   * @throws SignInRefused where the current one is another, or has been changed meanwhile; Forbidden for a token that is limited; SignInsBusy
   */
  async changePassword(
    { userId, isLimited, credentialId }: Principal,
    current: string | undefined,
    password: string,
    actor: Actor,
  ): Promise<void> {
    if (isLimited) throw new Forbidden();
    const kept = await this.repository.password(userId);
    if (kept !== undefined && !(await this.passwords.isRight(current ?? '', kept))) throw new SignInRefused();
    const made = await this.passwords.hash(password);
    await this.database.transaction(async (run) => {
      if (!(await this.repository.changePassword(run, userId, kept ?? null, made))) throw new SignInRefused();
      await this.sessions.endWithin(run, userId, credentialId);
      const subject = { kind: 'user', id: userId, name: null } as const;
      await this.audit.done(run, { act: 'user.password', actor, subject });
    });
    await this.news.tell(userId);
  }
}
