import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import { JoinTokenInvalid } from './auth.errors.js';
import { JoinTokenRepository, type JoinTokenRow } from './join-token.repository.js';
import { hashOpaque, makeOpaque } from './opaque-token.js';

/** Tokens by which an operator lets brokers in: a number of seats, and a time within which they are taken. */
@Injectable()
export class JoinTokens {
  constructor(private readonly repository: JoinTokenRepository) {}

  /** @returns the token's row, and the secret that is never to be had again */
  async create(options: {
    seats: number;
    expiresInS: number;
    labels: Record<string, string>;
    createdBy: string;
    /** Whether the brokers that join with it may serve many projects at a time. */
    shared?: boolean;
  }): Promise<JoinTokenRow & { token: string }> {
    const { plain, prefix, hash } = makeOpaque('join');
    const { shared: isShared = false, ...rest } = options;
    const row = await this.repository.create({ id: uuidv7(), prefix, hash, isShared, ...rest });
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

  async list(before: string | null, limit: number): Promise<JoinTokenRow[]> {
    return this.repository.list(before, limit);
  }

  /** No seat is taken any more; who has joined stays. Safe to repeat. @throws NotFound */
  async revoke(id: string): Promise<void> {
    if (!(await this.repository.revoke(id))) throw new NotFound('join token');
  }
}
