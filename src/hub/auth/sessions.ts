import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { Actor, Origin } from './actor.js';
import { Audit } from './audit.js';
import { CredentialInvalid } from './auth.errors.js';
import { LookUps, type Found } from './look-ups.js';
import { hashOpaque, makeOpaque } from './opaque-token.js';
import { PeopleNews } from './people-news.js';
import { principalOf, type Principal } from './principal.js';
import { SessionRepository, type SessionRow } from './session.repository.js';
import { ACCESS_LIVES_S, SessionTokens } from './session-tokens.js';

/** However often it is refreshed. */
export const SESSION_LIVES_S = 30 * 24 * 3_600;
/** Of one person, that go on at a time. */
const SESSIONS_MOST = 50;

/** Who has signed in. */
type Person = { userId: string; name: string };

/** What somebody who has signed in goes on with. */
export type Signed = { sessionId: string; accessToken: string; expiresInS: number; refreshToken: string };

/**
 * The sessions of those who have signed in, each a chain of refresh tokens.
 *
 *     given --shown--> the last one shown --its successor is shown--> spent --shown again--> the session is ended
 *       \--a later one of the same is shown--> spent
 *
 * A refresh is one transaction, and its answer may be lost: until one of its successors is shown, the token for which they
 * were given is good for another. So whoever loses the answer, or dies before it is stored, asks again with what they have.
 */
@Injectable()
export class Sessions {
  private readonly holders = new LookUps((sessionId) => this.load(sessionId));

  constructor(
    private readonly repository: SessionRepository,
    private readonly tokens: SessionTokens,
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly news: PeopleNews,
  ) {
    news.onChange((people) => {
      this.holders.forgetWhere(({ userId }) => people?.has(userId) ?? true);
    });
  }

  /** Who shows this access token. @throws CredentialInvalid, DatabaseUnavailable */
  async authenticate(token: string): Promise<Principal> {
    return this.find(await this.tokens.verify(token));
  }

  /** Whose session it is, while that goes on. @throws CredentialInvalid, DatabaseUnavailable */
  async find(sessionId: string): Promise<Principal> {
    const principal = await this.holders.find(sessionId);
    if (principal === undefined) throw new CredentialInvalid();
    return principal;
  }

  /**
   * Begins one in the caller's transaction; the oldest of a person who has too many end.
   *
   * @returns its id, and what gives the tokens once that is committed
   */
  async begin(
    run: Run,
    person: Person,
    origin: Origin,
  ): Promise<{ id: string; signed: () => Promise<Signed> }> {
    const id = await this.beginInBrowser(run, person, origin);
    const { plain, hash } = makeOpaque('refresh');
    await this.repository.give(run, hash, id, null);
    return { id, signed: () => this.signed(person.userId, id, plain) };
  }

  /** The same, without tokens: a cookie is what it goes on with. @param detail for the audit @returns its id */
  async beginInBrowser(
    run: Run,
    { userId, name }: Person,
    origin: Origin,
    detail: object = {},
  ): Promise<string> {
    const id = uuidv7();
    await this.repository.begin(run, id, userId, SESSION_LIVES_S);
    await this.repository.endOldest(run, userId, SESSIONS_MOST);
    const actor: Actor = { kind: 'person', id: userId, name, credentialId: id, origin };
    const subject = { kind: 'session', id, name: null } as const;
    await this.audit.done(run, { act: 'session.begin', actor, subject, detail });
    return id;
  }

  /** @throws CredentialInvalid; where the token was spent its session ends with that */
  async refresh(refreshToken: string, origin: Origin): Promise<Signed> {
    const shown = hashOpaque('refresh', refreshToken);
    if (shown === undefined) throw new CredentialInvalid();
    const { plain, hash } = makeOpaque('refresh');
    const found = await this.database.transaction(async (run) => {
      const token = await this.repository.show(run, shown);
      if (token === undefined) return undefined;
      const { sessionId, userId, name, isGood } = token;
      if (isGood) {
        await this.repository.use(run, sessionId, shown);
        await this.repository.give(run, hash, sessionId, shown);
        return token;
      }
      // Two have the chain: which of them is whose nobody can tell, so it is good for neither.
      await this.repository.end(run, sessionId, userId);
      const actor: Actor = { kind: 'person', id: userId, name, credentialId: sessionId, origin };
      const subject = { kind: 'session', id: sessionId, name: null } as const;
      await this.audit.done(run, { act: 'session.reuse', actor, subject });
      return token;
    });
    if (found === undefined) throw new CredentialInvalid();
    const { userId, sessionId, isGood } = found;
    if (isGood) return this.signed(userId, sessionId, plain);
    await this.news.tell(userId);
    throw new CredentialInvalid();
  }

  /** Those that go on, newest first. */
  async list(userId: string, before: string | null, limit: number): Promise<SessionRow[]> {
    return this.repository.list(userId, before, limit);
  }

  /** Everywhere within a second. @throws NotFound where the user has none with the id that goes on */
  async end(id: string, userId: string, actor: Actor): Promise<void> {
    const entry = { act: 'session.end', actor, subject: { kind: 'session', id, name: null } } as const;
    const isEnded = await this.database.transaction(async (run) => {
      const ended = await this.repository.end(run, id, userId);
      if (ended) await this.audit.done(run, entry);
      return ended;
    });
    if (!isEnded) throw new NotFound('session');
    await this.news.tell(userId);
  }

  /** All of a user, everywhere within a second. Safe to repeat. */
  async endAll(userId: string, actor: Actor): Promise<void> {
    await this.database.transaction(async (run) => {
      const ended = await this.endWithin(run, userId, null);
      const subject = { kind: 'user', id: userId, name: null } as const;
      await this.audit.done(run, { act: 'session.end_all', actor, subject, detail: { ended } });
    });
    await this.news.tell(userId);
  }

  /** All of a user but one, in the caller's transaction, after which the others are to be told. */
  async endWithin(run: Run, userId: string, but: string | null): Promise<number> {
    return this.repository.endAll(run, userId, but);
  }

  private async signed(userId: string, sessionId: string, refreshToken: string): Promise<Signed> {
    const accessToken = await this.tokens.mint(userId, sessionId);
    return { sessionId, accessToken, expiresInS: ACCESS_LIVES_S, refreshToken };
  }

  private async load(sessionId: string): Promise<Found<Principal> | undefined> {
    const row = await this.repository.findHolder(sessionId);
    if (row === undefined) return undefined;
    const { leftMs, ...holder } = row;
    const all = { access: 'write', projectIds: null, credentialId: sessionId } as const;
    return { value: principalOf({ ...holder, ...all }), forMs: leftMs };
  }
}
