import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { isUuid } from '../../protocol/read.js';
import type { Actor } from '../auth/actor.js';
import type { Act, AuditEntry } from '../auth/audit-entry.js';
import { Audit } from '../auth/audit.js';
import type { Idempotency } from '../auth/request-key.js';
import { requireScope, type Scope } from '../auth/scope.js';
import { RequestKeys } from '../auth/request-keys.js';
import { Database, type Run } from '../database/database.js';
import { NAME } from '../http/name.js';
import { NotFound } from '../problems/coded.error.js';
import { AttachmentNews } from './attachment-news.js';
import { AttachmentRevoked, BrokerNotAttached } from './attachment.errors.js';
import { AttachmentRepository } from './attachment.repository.js';
import { ProjectArchived, RevisionStale, VersionFloorLowered } from './project.errors.js';
import { ProjectRepository, type ProjectChange, type ProjectRow } from './project.repository.js';
import { compareVersions, formatVersion, type Version } from './version-floor.js';

/** Live commands that a project may have where nobody says otherwise, and the most that it may be given. */
export const MAX_PENDING = { default: 10_000, most: 100_000 } as const;

/**
 * The scopes of tenancy: what brokers are attached to, and what agents and commands belong to. What is done to them is kept in the
 * audit, in the transaction that does it.
 */
@Injectable()
export class Projects {
  constructor(
    private readonly repository: ProjectRepository,
    private readonly attachments: AttachmentRepository,
    private readonly news: AttachmentNews,
    private readonly database: Database,
    private readonly requestKeys: RequestKeys,
    private readonly audit: Audit,
  ) {}

  /** A repeat of the request gives the project of the first. @throws ProjectNameTaken, IdempotencyKeyReused */
  async create(
    project: { name: string; floor: Version | null; maxPending: number },
    actor: Actor,
    idempotency: Idempotency | undefined,
  ): Promise<ProjectRow> {
    const id = uuidv7();
    const entry = entryOf('project.create', { id, name: project.name }, actor, settingsOf(project));
    const made = await this.audit.orRefused(entry, () =>
      this.database.transaction(async (run) => {
        const earlier = idempotency && (await this.requestKeys.repeatOf(run, idempotency, id));
        if (earlier !== undefined) return earlier;
        const row = await this.repository.create(run, { id, ...project, createdBy: actor.id });
        await this.audit.done(run, entry);
        return row;
      }),
    );
    return typeof made === 'string' ? this.get(made) : made;
  }

  /** Newest first, those made before the given one. */
  async list(
    before: string | null,
    limit: number,
    withArchived: boolean,
    { sees }: Scope,
  ): Promise<ProjectRow[]> {
    return this.repository.list(before, limit, withArchived, sees);
  }

  /**
   * The id of a project in which a request may do what it asks for.
   *
   * @throws NotFound for one that it does not see; Forbidden for one where it may not
   */
  async within(scope: Scope, idOrName: string): Promise<string> {
    // Who sees all is told by the statement that comes next whether it is there.
    const id = scope.sees === null ? await this.idOf(idOrName) : await this.see(idOrName, scope);
    requireScope(scope, id);
    return id;
  }

  private async see(idOrName: string, { sees }: Scope): Promise<string> {
    const named = isUuid(idOrName) ? { id: idOrName } : NAME.test(idOrName) ? { name: idOrName } : undefined;
    const id = named && (await this.repository.see(named, sees));
    if (id === undefined) throw new NotFound('project');
    return id;
  }

  /** @throws NotFound */
  async get(idOrName: string): Promise<ProjectRow> {
    const row = await this.repository.get(await this.idOf(idOrName));
    if (row === undefined) throw new NotFound('project');
    return row;
  }

  /** The id of a project that is named by it, or by its name. @throws NotFound for a name that none has */
  async idOf(idOrName: string): Promise<string> {
    if (isUuid(idOrName)) return idOrName;
    const id = NAME.test(idOrName) ? await this.repository.idOfName(idOrName) : undefined;
    if (id === undefined) throw new NotFound('project');
    return id;
  }

  /**
   * Holds a project and a broker's attachment to it until the end of the transaction.
   *
   * @returns the project's id
   * @throws NotFound, ProjectArchived, AttachmentRevoked, BrokerNotAttached
   */
  async admit(run: Run, idOrName: string, brokerId: string): Promise<string> {
    const id = await this.idOf(idOrName);
    const project = await this.repository.hold(run, id);
    if (project === undefined) throw new NotFound('project');
    if (project.archivedAt !== null) throw new ProjectArchived();
    const attachment = await this.attachments.hold(run, id, brokerId);
    if (attachment?.state === 'revoked') throw new AttachmentRevoked();
    if (attachment === undefined || attachment.detachedAt !== null) throw new BrokerNotAttached();
    return id;
  }

  /**
   * Changes settings.
   *
   * @param revision the one that the caller has read; null where any will do
   * @throws NotFound, ProjectArchived, RevisionStale, VersionFloorLowered: nothing was changed
   */
  async update(
    idOrName: string,
    revision: number | null,
    change: ProjectChange,
    actor: Actor,
  ): Promise<ProjectRow> {
    const { id, name } = await this.get(idOrName);
    const entry = entryOf('project.update', { id, name }, actor, settingsOf(change));
    const changed = await this.audit.orRefused(entry, () => this.changed(id, revision, change, entry));
    if (change.floor !== undefined) this.news.tell(...(await this.attachments.ownersIn(id)));
    return changed;
  }

  private async changed(
    id: string,
    revision: number | null,
    change: ProjectChange,
    entry: AuditEntry,
  ): Promise<ProjectRow> {
    for (;;) {
      const changed = await this.database.transaction(async (run) => {
        const row = await this.repository.update(run, id, revision, change);
        if (row !== undefined) await this.audit.done(run, entry);
        return row;
      });
      if (changed !== undefined) return changed;
      const { archivedAt, revision: stored, floor } = await this.get(id);
      if (archivedAt !== null) throw new ProjectArchived();
      if (revision !== null && revision !== stored) throw new RevisionStale(stored);
      if (floor !== null && change.floor !== undefined && isLower(change.floor, floor))
        throw new VersionFloorLowered(floor);
      // What was in the way is gone since: it is judged anew.
    }
  }

  /** Lets its brokers go, and takes no work and no brokers any more. Safe to repeat. @throws NotFound */
  async archive(idOrName: string, actor: Actor): Promise<ProjectRow> {
    const { id, name } = await this.get(idOrName);
    const entry = entryOf('project.archive', { id, name }, actor);
    const affected = await this.database.transaction(async (run) => {
      const brokers = await this.repository.archive(run, id);
      if (brokers !== undefined) await this.audit.done(run, entry);
      return brokers;
    });
    if (affected === undefined) await this.audit.unchanged(entry);
    else this.news.tell(...affected);
    return this.get(id);
  }
}

function entryOf(
  act: Act,
  { id, name }: { id: string; name: string },
  actor: Actor,
  detail: object = {},
): AuditEntry {
  return { act, actor, subject: { kind: 'project', id, name }, detail };
}

/** As they are called where they are asked for. */
function settingsOf({ floor, maxPending }: ProjectChange): object {
  return {
    ...(floor === undefined ? {} : { minBrokerVersion: floor && formatVersion(floor) }),
    ...(maxPending === undefined ? {} : { maxPending }),
  };
}

function isLower(floor: Version | null, than: Version): boolean {
  return floor === null || compareVersions(floor, than) < 0;
}
