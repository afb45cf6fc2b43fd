import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Actor } from '../auth/actor.js';
import type { Act, AuditEntry } from '../auth/audit-entry.js';
import { Audit } from '../auth/audit.js';
import type { Scope } from '../auth/scope.js';
import { Database, type Run } from '../database/database.js';
import { NotFound } from '../problems/coded.error.js';
import { AttachmentNews } from './attachment-news.js';
import { AttachmentConflict, AttachmentRevoked } from './attachment.errors.js';
import {
  AttachmentRepository,
  type Affected,
  type AttachmentRow,
  type RosterFilter,
  type RosterRow,
} from './attachment.repository.js';
import type { AttachmentState } from './attachment-state.js';
import { Brokers } from './brokers.js';
import { ProjectArchived } from './project.errors.js';
import { Projects } from './projects.js';
import { BrokerRevoked } from './registry.errors.js';

const TRIES = 5;
/** Of each broker in a list; a shared one may be attached to hundreds of projects. */
const ADMISSIONS_MOST = 20;

/** How a broker stands in projects that a request sees, and how many there are with those that are left out. */
export type Admissions = { readonly rows: readonly AttachmentRow[]; readonly total: number };

/** Which brokers are let into which projects. Each change is kept in the audit, in the transaction that makes it. */
@Injectable()
export class Attachments {
  constructor(
    private readonly repository: AttachmentRepository,
    private readonly projects: Projects,
    private readonly brokers: Brokers,
    private readonly news: AttachmentNews,
    private readonly database: Database,
    private readonly audit: Audit,
  ) {}

  /**
   * Lets a broker into a project. One that is in already stays as it is.
   *
   * @throws NotFound, ProjectArchived, BrokerRevoked, AttachmentConflict, AttachmentRevoked: nothing was changed
   */
  async attach(project: string, broker: string, actor: Actor): Promise<AttachmentRow> {
    const pair = await this.pairOf(project, broker);
    const { projectId, brokerId } = pair;
    return this.changed('attachment.attach', pair, actor, async (change) => {
      for (let tries = 1; tries <= TRIES; tries += 1) {
        await change((run) => this.repository.attach(uuidv7(), projectId, brokerId, actor.id, run));
        const { archivedAt } = await this.projects.get(projectId);
        if (archivedAt !== null) throw new ProjectArchived();
        const { revokedAt } = await this.brokers.get(brokerId);
        if (revokedAt !== null) throw new BrokerRevoked();
        const row = await this.repository.get(projectId, brokerId);
        if (row?.state === 'revoked') throw new AttachmentRevoked();
        if (row !== undefined && row.detachedAt === null) return row;
        // Somebody detached it meanwhile.
      }
      throw new AttachmentConflict();
    });
  }

  /** Safe to repeat. @throws NotFound where it was never attached */
  async detach(project: string, broker: string, actor: Actor): Promise<void> {
    const pair = await this.pairOf(project, broker);
    const { projectId, brokerId } = pair;
    await this.changed('attachment.detach', pair, actor, async (change) => {
      await change((run) => this.repository.detach(projectId, brokerId, run));
      return this.row(projectId, brokerId);
    });
  }

  /** For ever. Safe to repeat. @throws NotFound where it was never attached */
  async revoke(project: string, broker: string, actor: Actor): Promise<AttachmentRow> {
    const pair = await this.pairOf(project, broker);
    const { projectId, brokerId } = pair;
    return this.changed('attachment.revoke', pair, actor, async (change) => {
      await change((run) => this.repository.revoke(projectId, brokerId, run));
      return this.row(projectId, brokerId);
    });
  }

  /** @throws NotFound */
  async get(project: string, broker: string): Promise<AttachmentRow> {
    const { projectId, brokerId } = await this.pairOf(project, broker);
    return this.row(projectId, brokerId);
  }

  /** Newest first. */
  async list(filter: {
    before: string | null;
    projectId: string | null;
    brokerId: string | null;
    state: AttachmentState | null;
    limit: number;
    sees: Scope['sees'];
  }): Promise<AttachmentRow[]> {
    return this.repository.list(filter);
  }

  /** How brokers stand in the projects that a request sees; one that was attached to none of them is left out. */
  async admissionsOf(brokerIds: readonly string[], { sees }: Scope): Promise<Map<string, Admissions>> {
    if (brokerIds.length === 0) return new Map();
    const byBroker = new Map<string, { rows: AttachmentRow[]; total: number }>();
    for (const row of await this.repository.latestOf(brokerIds, sees, ADMISSIONS_MOST)) {
      const admissions = byBroker.get(row.brokerId) ?? { rows: [], total: row.total };
      admissions.rows.push(row);
      byBroker.set(row.brokerId, admissions);
    }
    return byBroker;
  }

  /** The brokers of a project that are attached to it, or were. */
  async roster(
    projectId: string,
    before: string | null,
    filter: RosterFilter,
    limit: number,
  ): Promise<RosterRow[]> {
    return this.repository.roster(projectId, before, filter, limit);
  }

  private async row(projectId: string, brokerId: string): Promise<AttachmentRow> {
    const row = await this.repository.get(projectId, brokerId);
    if (row === undefined) throw new NotFound('attachment');
    return row;
  }

  /**
   * @param work makes its changes by what it is given, each with its row in the audit and the word to whom it concerns, and judges
   *   what there is then
   */
  private async changed(
    act: Act,
    { projectId, projectName, brokerId }: Pair,
    actor: Actor,
    work: (change: Change) => Promise<AttachmentRow>,
  ): Promise<AttachmentRow> {
    const subject = { kind: 'project', id: projectId, name: projectName } as const;
    const entry: AuditEntry = { act, actor, subject, detail: { broker: brokerId } };
    let isChanged = false;
    const change: Change = async (make) => {
      const affected = await this.database.transaction(async (run) => {
        const made = await make(run);
        if (made !== undefined) await this.audit.done(run, entry);
        return made;
      });
      this.news.tell(affected);
      isChanged ||= affected !== undefined;
    };
    const row = await this.audit.orRefused(entry, () => work(change));
    if (!isChanged) await this.audit.unchanged(entry);
    return row;
  }

  private async pairOf(project: string, broker: string): Promise<Pair> {
    const { id: projectId, name: projectName } = await this.projects.get(project);
    const { id: brokerId } = await this.brokers.get(broker);
    return { projectId, projectName, brokerId };
  }
}

type Pair = { projectId: string; projectName: string; brokerId: string };

/** @param make gives what it has changed; undefined where that is nothing */
type Change = (make: (run: Run) => Promise<Affected | undefined>) => Promise<void>;
