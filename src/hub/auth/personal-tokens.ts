import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { NotFound } from '../problems/coded.error.js';
import { CredentialInvalid } from './auth.errors.js';
import { LookUps, type Found } from './look-ups.js';
import { hashOpaque, makeOpaque } from './opaque-token.js';
import { PersonalTokenRepository, type PersonalTokenRow } from './personal-token.repository.js';
import type { Principal } from './principal.js';

/** The tokens by which people and their programs call the hub. */
@Injectable()
export class PersonalTokens {
  private readonly holders = new LookUps((key) => this.load(key));

  constructor(private readonly repository: PersonalTokenRepository) {}

  /**
   * Who shows this token. An answer may be 30 s old, which bounds how long another replica still takes a token
   * that was revoked here.
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

  /** @returns the token's row, and the secret that is never to be had again */
  async create(
    userId: string,
    options: { name: string; expiresInS: number },
  ): Promise<PersonalTokenRow & { token: string }> {
    const { plain, prefix, hash } = makeOpaque('personal');
    const row = await this.repository.create({ id: uuidv7(), userId, prefix, hash, ...options });
    return { ...row, token: plain };
  }

  async list(userId: string, before: string | null, limit: number): Promise<PersonalTokenRow[]> {
    return this.repository.list(userId, before, limit);
  }

  /** Safe to repeat. @throws NotFound where the user has no such token */
  async revoke(id: string, userId: string): Promise<void> {
    const hash = await this.repository.revoke(id, userId);
    if (hash === undefined) throw new NotFound('token');
    this.holders.forget(keyOf(hash));
  }

  private async load(key: string): Promise<Found<Principal> | undefined> {
    const row = await this.repository.findHolder(Buffer.from(key, 'base64url'));
    if (row === undefined) return undefined;
    const { tokenId, userId, name, role, leftMs } = row;
    const value: Principal = Object.freeze({ kind: 'person', userId, name, role, credentialId: tokenId });
    return { value, forMs: leftMs ?? Infinity };
  }
}

function keyOf(hash: Buffer): string {
  return hash.toString('base64url');
}
