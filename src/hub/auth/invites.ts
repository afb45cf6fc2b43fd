import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import type { Actor } from './actor.js';
import type { AuditEntry } from './audit-entry.js';
import { Audit } from './audit.js';
import { InviteRedeemed } from './auth.errors.js';
import { InviteRepository, type Invited, type InviteRow } from './invite.repository.js';
import { makeOpaque } from './opaque-token.js';

/** What lets a user set a password, once: who was given one, by whom, and what became of it. `SignIns` redeems them. */
@Injectable()
export class Invites {
  constructor(
    private readonly repository: InviteRepository,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /**
   * Lets a user set a password once. Those that were made before are good no more.
   *
   * @returns the secret that is never to be had again, and when it ends
   * @throws NotFound for a user that is not let in
   */
  async create(
    userId: string,
    expiresInS: number,
    actor: Actor,
  ): Promise<{ id: string; token: string; expiresAt: Date }> {
    const { plain, hash } = makeOpaque('invite');
    const id = uuidv7();
    const expiresAt = await this.database.transaction(async (run) => {
      const end = await this.repository.create(run, { id, userId, hash, createdBy: actor.id, expiresInS });
      if (end === undefined) throw new NotFound('user');
      const subject = { kind: 'user', id: userId, name: null } as const;
      await this.audit.done(run, {
        act: 'invite.create',
        actor,
        subject,
        detail: { invite: id, expiresInS },
      });
      return end;
    });
    return { id, token: plain, expiresAt };
  }

  /** Newest first, those made before the given one. */
  async list(before: string | null, limit: number): Promise<InviteRow[]> {
    return this.repository.list(before, limit);
  }

  /**
   * Nobody sets a password with it any more. Safe to repeat.
   *
   * @throws NotFound; InviteRedeemed where somebody was faster
   */
  async revoke(id: string, actor: Actor): Promise<void> {
    const entryOf = (invited: Invited | undefined): AuditEntry => {
      const subject = { kind: 'user', id: invited?.userId ?? null, name: invited?.name ?? null } as const;
      return { act: 'invite.revoke', actor, subject, detail: { invite: id } };
    };
    const isRevoked = await this.database.transaction(async (run) => {
      const invited = await this.repository.revoke(run, id);
      if (invited !== undefined) await this.audit.done(run, entryOf(invited));
      return invited !== undefined;
    });
    if (isRevoked) return;
    const invited = await this.repository.invited(id);
    const error = invited === undefined ? new NotFound('invite') : new InviteRedeemed();
    await this.audit.refused(entryOf(invited), error);
    throw error;
  }
}
