import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { CodedError, NotFound } from '../problems/coded.error.js';
import type { Actor } from './actor.js';
import type { AuditEntry } from './audit-entry.js';
import { Audit } from './audit.js';
import { TooManyMembers, TooManyProjects } from './auth.errors.js';
import { MemberRepository, type MemberRow } from './member.repository.js';
import { PeopleNews } from './people-news.js';
import type { ProjectRole } from './principal.js';
import { Users } from './users.js';

/** Projects that one person may be a member of: each request carries them to the database. */
export const PROJECTS_MOST = 500;
const MEMBERS_MOST = 1_000;

/** Who is what in which project. Projects are named by their ids here; whoever asks has found them within its scope. */
@Injectable()
export class Members {
  constructor(
    private readonly repository: MemberRepository,
    private readonly users: Users,
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly news: PeopleNews,
  ) {}

  /**
   * Makes somebody a member, or gives a member another role; every replica goes by it within a second. Safe to repeat.
   *
   * @throws NotFound for the user, or one that is not let in; CodedError `project_archived`; TooManyProjects,
   *   TooManyMembers: nothing was changed
   */
  async set(projectId: string, user: string, role: ProjectRole, actor: Actor): Promise<MemberRow> {
    const userId = await this.users.idOf(user);
    const entry = entryOf('member.set', projectId, actor, { user: userId, role });
    await this.change(userId, entry, async (run) => {
      if (!(await this.repository.holdPerson(run, userId))) throw new NotFound('user');
      const project = await this.repository.holdProject(run, projectId);
      if (project === undefined) throw new NotFound('project');
      if (project.isArchived) throw new CodedError('project_archived');
      const { projects, members } = await this.repository.count(run, projectId, userId);
      if (projects >= PROJECTS_MOST) throw new TooManyProjects(PROJECTS_MOST);
      if (members >= MEMBERS_MOST) throw new TooManyMembers(MEMBERS_MOST);
      return this.repository.set(run, { projectId, userId, role, addedBy: actor.id });
    });
    const row = await this.repository.get(projectId, userId);
    if (row === undefined) throw new NotFound('member');
    return row;
  }

  /** Safe to repeat. @throws NotFound for the user */
  async remove(projectId: string, user: string, actor: Actor): Promise<void> {
    const userId = await this.users.idOf(user);
    const entry = entryOf('member.remove', projectId, actor, { user: userId });
    await this.change(userId, entry, (run) => this.repository.remove(run, projectId, userId));
  }

  /** Users that were made last come first. */
  async list(projectId: string, before: string | null, limit: number): Promise<MemberRow[]> {
    return this.repository.list(projectId, before, limit);
  }

  private async change(
    userId: string,
    entry: AuditEntry,
    act: (run: Run) => Promise<boolean>,
  ): Promise<void> {
    try {
      const isChanged = await this.database.transaction(async (run) => {
        const changed = await act(run);
        if (changed) await this.audit.done(run, entry);
        return changed;
      });
      if (isChanged) await this.news.tell(userId);
      else await this.audit.unchanged(entry);
    } catch (error) {
      await this.audit.refused(entry, error);
      throw error;
    }
  }
}

function entryOf(
  act: 'member.set' | 'member.remove',
  projectId: string,
  actor: Actor,
  detail: object,
): AuditEntry {
  return { act, actor, subject: { kind: 'project', id: projectId, name: null }, detail };
}
