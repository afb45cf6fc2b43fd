import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { Actor } from './actor.js';
import { Audit } from './audit.js';
import { CredentialInvalid, Forbidden, TooManyTokens } from './auth.errors.js';
import { LookUps, type Found } from './look-ups.js';
import { hashOpaque, makeOpaque } from './opaque-token.js';
import { PeopleNews } from './people-news.js';
import { PersonalTokenRepository, type PersonalTokenRow } from './personal-token.repository.js';
import { principalOf, type Principal, type TokenAccess } from './principal.js';

/** Tokens that one person may have at a time. */
const TOKENS_MOST = 100;

/** What a token is to be good for. */
export type TokenOptions = {
  name: string;
  expiresInS: number;
  access?: TokenAccess;
  /** Left out, or null: all that its holder has. */
  projectIds?: readonly string[] | null;
};

/** The tokens by which people and their programs call the hub. */
@Injectable()
export class PersonalTokens {
  private readonly log = new Logger('auth');
  private readonly holders = new LookUps((key) => this.load(key));

  constructor(
    private readonly repository: PersonalTokenRepository,
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly news: PeopleNews,
  ) {
    news.onChange((people) => {
      this.holders.forgetWhere(({ userId }) => people?.has(userId) ?? true);
    });
  }

  /**
   * Who shows this token. What is remembered is forgotten where another replica says that it has changed; where that
   * is not heard, an answer may be 30 s old.
   *
   * @throws CredentialInvalid
   * @throws DatabaseUnavailable where the token is not remembered and cannot be looked up: neither yes nor no
   */
  async authenticate(token: string): Promise<Principal> {
    const hash = hashOpaque('personal', token);
    const principal = hash === undefined ? undefined : await this.holders.find(keyOf(hash));
    if (principal === undefined) throw new CredentialInvalid();
    return principal;
  }

  /**
   * Makes a token for the caller itself, which is good for no more than what it calls with.
   *
   * @returns the token's row, and the secret that is never to be had again
   * @throws Forbidden for a caller whose own token is limited to projects; NotFound for a project that it does not see;
   *   TooManyTokens
   */
  async createOwn(
    { isLimited, projects, userId }: Principal,
    options: TokenOptions,
    actor: Actor,
  ): Promise<PersonalTokenRow & { token: string }> {
    if (isLimited) throw new Forbidden();
    const strange = (options.projectIds ?? []).filter(
      (id) => projects !== null && projects[id] === undefined,
    );
    if (strange.length > 0) throw new NotFound('project');
    return this.create(userId, options, actor);
  }

  /** As `createOwn`, for anybody: what only an administrator may. @throws NotFound for a user that is not let in as well */
  async create(
    userId: string,
    { access = 'write', projectIds = null, ...options }: TokenOptions,
    actor: Actor,
  ): Promise<PersonalTokenRow & { token: string }> {
    if (projectIds !== null && (await this.repository.unknownProjects(projectIds)).length > 0)
      throw new NotFound('project');
    const made = await this.database.transaction((run) =>
      this.createWithin(run, userId, { ...options, access, projectIds }, actor),
    );
    if (made === undefined) throw new NotFound('user');
    return made;
  }

  /**
   * In the caller's transaction, for projects that there are.
   *
   * @returns undefined for a user that is not let in @throws TooManyTokens
   */
  async createWithin(
    run: Run,
    userId: string,
    { name, expiresInS, access = 'write', projectIds = null }: TokenOptions,
    actor: Actor,
  ): Promise<(PersonalTokenRow & { token: string }) | undefined> {
    const { plain, prefix, hash } = makeOpaque('personal');
    const made = { id: uuidv7(), userId, prefix, hash, name, expiresInS, access, projectIds };
    if (!(await this.repository.holdHolder(run, userId))) return undefined;
    if ((await this.repository.countLive(run, userId)) >= TOKENS_MOST) throw new TooManyTokens(TOKENS_MOST);
    const subject = { kind: 'personal_token', id: made.id, name: prefix } as const;
    const detail = { user: userId, name, access, projectIds, expiresInS };
    await this.audit.done(run, { act: 'personal_token.create', actor, subject, detail });
    return { ...(await this.repository.create(made, run)), token: plain };
  }

  async list(userId: string, before: string | null, limit: number): Promise<PersonalTokenRow[]> {
    return this.repository.list(userId, before, limit);
  }

  /** As `revoke`. @throws Forbidden for a caller that is limited to projects and means another token than its own */
  async revokeOwn(id: string, { isLimited, userId, credentialId }: Principal, actor: Actor): Promise<void> {
    if (isLimited && id !== credentialId) throw new Forbidden();
    await this.revoke(id, userId, actor);
  }

  /** Everywhere within a second. Safe to repeat. @throws NotFound where the user has no such token */
  async revoke(id: string, userId: string, actor: Actor): Promise<void> {
    const subject = { kind: 'personal_token', id, name: null } as const;
    const entry = { act: 'personal_token.revoke', actor, subject, detail: { user: userId } } as const;
    const hash = await this.database.transaction(async (run) => {
      const revoked = await this.repository.revoke(id, userId, run);
      if (revoked !== undefined) await this.audit.done(run, entry);
      return revoked;
    });
    if (hash === undefined) {
      const error = new NotFound('token');
      await this.audit.refused(entry, error);
      throw error;
    }
    this.holders.forget(keyOf(hash));
    await this.news.tell(userId);
  }

  private async load(key: string): Promise<Found<Principal> | undefined> {
    const row = await this.repository.findHolder(Buffer.from(key, 'base64url'));
    if (row === undefined) return undefined;
    if (row.isUseStale) await this.noteUse(row.tokenId);
    const { tokenId: credentialId, leftMs, ...holder } = row;
    return { value: principalOf({ ...holder, credentialId }), forMs: leftMs ?? Infinity };
  }

  /** At most once in some minutes a token, and nobody is refused because it cannot be noted. */
  private async noteUse(tokenId: string): Promise<void> {
    await this.repository.noteUse(tokenId).catch((error: unknown) => {
      this.log.warn({ tokenId, err: error }, 'the use of a token could not be noted');
    });
  }
}

function keyOf(hash: Buffer): string {
  return hash.toString('base64url');
}
