import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Run } from '../database/database.js';
import { CodedError } from '../problems/coded.error.js';
import type { AuditEntry } from './audit-entry.js';
import { AuditRepository, type AuditFilter, type AuditRow } from './audit.repository.js';

/** The record of who did what, from where, and what came of it. */
@Injectable()
export class Audit {
  private readonly log = new Logger('auth');

  constructor(private readonly repository: AuditRepository) {}

  /** Keeps what is done, in the transaction that does it: neither is there without the other. */
  async done(run: Run, entry: AuditEntry): Promise<void> {
    await this.repository.write({ ...entry, id: uuidv7(), outcome: 'done', code: null }, run);
  }

  /** Keeps that somebody asked for what was so already. */
  async unchanged(entry: AuditEntry): Promise<void> {
    await this.repository.write({ ...entry, id: uuidv7(), outcome: 'unchanged', code: null });
  }

  /**
   * Keeps a refusal, where the error is one. An answer that says no is right whether this can be kept or not, so it is
   * not held back for it.
   */
  async refused(entry: AuditEntry, error: unknown): Promise<void> {
    if (!(error instanceof CodedError) || error.status >= 500) return;
    const row = { ...entry, id: uuidv7(), outcome: 'refused', code: error.code } as const;
    await this.repository.write(row).catch((fault: unknown) => {
      this.log.warn({ act: entry.act, err: fault }, 'a refusal could not be kept in the audit');
    });
  }

  /** What comes of an act whose refusals are kept. @throws what the act throws */
  async orRefused<T>(entry: AuditEntry, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      await this.refused(entry, error);
      throw error;
    }
  }

  /** Newest first, those before the given one. */
  async list(before: string | null, filter: AuditFilter, limit: number): Promise<AuditRow[]> {
    return this.repository.list(before, filter, limit);
  }
}
