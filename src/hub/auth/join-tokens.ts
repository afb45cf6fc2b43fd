import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { Actor } from './actor.js';
import { Audit } from './audit.js';
import { JoinTokenInvalid } from './auth.errors.js';
import { JoinTokenRepository, type JoinTokenRow } from './join-token.repository.js';
import { hashOpaque, makeOpaque } from './opaque-token.js';

/** Tokens by which an operator lets brokers in: a number of seats, and a time within which they are taken. */
@Injectable()
export class JoinTokens {
  constructor(
    private readonly repository: JoinTokenRepository,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /** @returns the token's row, and the secret that is never to be had again */
  async create(
    options: {
      seats: number;
      expiresInS: number;
      labels: Record<string, string>;
      /** Whether the brokers that join with it may serve many projects at a time. */
      shared?: boolean;
    },
    actor: Actor,
  ): Promise<JoinTokenRow & { token: string }> {
    const { plain, prefix, hash } = makeOpaque('join');
    const { shared: isShared = false, ...rest } = options;
    const row = await this.database.transaction(async (run) => {
      const made = { id: uuidv7(), prefix, hash, isShared, createdBy: actor.id, ...rest };
      const subject = { kind: 'join_token', id: made.id, name: prefix } as const;
      const detail = { ...rest, shared: isShared };
      await this.audit.done(run, { act: 'join_token.create', actor, subject, detail });
      return this.repository.create(run, made);
    });
    return { ...row, token: plain };
  }

  /**
   * Takes one seat within the transaction of a join, which gives it back by rolling back.
   *
   * @returns the token's id, and what the joining broker gets from it
   * @throws JoinTokenInvalid where the token is unknown, expired, revoked or used up
   */
  async take(
    run: Run,
    token: string,
  ): Promise<{ joinTokenId: string; labels: Record<string, string>; isShared: boolean }> {
    const hash = hashOpaque('join', token);
    const seat = hash === undefined ? undefined : await this.repository.take(run, hash);
    if (seat === undefined) throw new JoinTokenInvalid();
    return { joinTokenId: seat.id, labels: seat.labels, isShared: seat.isShared };
  }

  /**
   * The id of a token that is known and neither expired nor revoked; its seats may be taken.
   *
   * @throws JoinTokenInvalid
   */
  async peek(token: string): Promise<string> {
    const hash = hashOpaque('join', token);
    const id = hash === undefined ? undefined : await this.repository.peek(hash);
    if (id === undefined) throw new JoinTokenInvalid();
    return id;
  }

  async list(before: string | null, limit: number): Promise<JoinTokenRow[]> {
    return this.repository.list(before, limit);
  }

  /** No seat is taken any more; who has joined stays. Safe to repeat. @throws NotFound */
  async revoke(id: string, actor: Actor): Promise<void> {
    const subject = { kind: 'join_token', id, name: null } as const;
    const entry = { act: 'join_token.revoke', actor, subject } as const;
    const isKnown = await this.database.transaction(async (run) => {
      if (!(await this.repository.revoke(run, id))) return false;
      await this.audit.done(run, entry);
      return true;
    });
    if (isKnown) return;
    const error = new NotFound('join token');
    await this.audit.refused(entry, error);
    throw error;
  }
}
