import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { ProjectRole } from './principal.js';

export type MemberRow = {
  /** The user's. */
  id: string;
  name: string;
  email: string | null;
  role: ProjectRole;
  createdAt: Date;
  changedAt: Date;
  /** When the user was disabled; null while it is let in. */
  disabledAt: Date | null;
};

const COLUMNS = `
  select person.id, person.name, person.email, member.role, member.created_at as "createdAt",
         member.changed_at as "changedAt", person.disabled_at as "disabledAt"
  from project_member member
  join hub_user person on person.id = member.user_id
`;

// Both are held while they are counted, the person first: memberships are given in turn.
const HOLD_PERSON = statement(
  'hold_person_of_membership',
  `select id from hub_user where id = $1 and disabled_at is null for no key update`,
);

const HOLD_PROJECT = statement(
  'hold_project_of_membership',
  `select archived_at is not null as "isArchived" from project where id = $1 for no key update`,
);

const COUNT = statement(
  'count_memberships',
  `
  select (select count(*) from project_member where user_id = $2 and project_id <> $1) as projects,
         (select count(*) from project_member where project_id = $1 and user_id <> $2) as members
  `,
);

const SET = statement(
  'set_project_member',
  `
  insert into project_member as held (project_id, user_id, role, added_by)
  values ($1, $2, $3, $4)
  on conflict on constraint project_member_is_one_a_project do update
  set role = excluded.role, changed_at = now()
  where held.role <> excluded.role
  returning user_id
  `,
);

const REMOVE = statement(
  'remove_project_member',
  `delete from project_member where project_id = $1 and user_id = $2 returning user_id`,
);

const GET = statement(
  'get_project_member',
  `${COLUMNS}  where member.project_id = $1 and member.user_id = $2`,
);

const LIST = statement(
  'list_project_members',
  `${COLUMNS}  where member.project_id = $1 and ($2::uuid is null or member.user_id < $2)
  order by member.user_id desc
  limit $3`,
);

/** SQL of who is what in which project. */
@Injectable()
export class MemberRepository {
  constructor(private readonly database: Database) {}

  /** Until the end of the transaction nothing else is given to the person. @returns false where it is not let in */
  async holdPerson(run: Run, userId: string): Promise<boolean> {
    return (await run(HOLD_PERSON, [userId])).length > 0;
  }

  /** Until the end of the transaction nobody else comes into the project. */
  async holdProject(run: Run, projectId: string): Promise<{ isArchived: boolean } | undefined> {
    return (await run<{ isArchived: boolean }>(HOLD_PROJECT, [projectId]))[0];
  }

  /** Other projects of the person, and other members of the project. */
  async count(run: Run, projectId: string, userId: string): Promise<{ projects: number; members: number }> {
    const [row] = await run<{ projects: number; members: number }>(COUNT, [projectId, userId]);
    return { projects: Number(row?.projects ?? 0), members: Number(row?.members ?? 0) };
  }

  /** @returns false where it was so already */
  async set(
    run: Run,
    member: { projectId: string; userId: string; role: ProjectRole; addedBy: string },
  ): Promise<boolean> {
    const { projectId, userId, role, addedBy } = member;
    return (await run(SET, [projectId, userId, role, addedBy])).length > 0;
  }

  /** @returns false where the person was no member */
  async remove(run: Run, projectId: string, userId: string): Promise<boolean> {
    return (await run(REMOVE, [projectId, userId])).length > 0;
  }

  async get(projectId: string, userId: string): Promise<MemberRow | undefined> {
    return (await this.database.run<MemberRow>(GET, [projectId, userId]))[0];
  }

  /** Users that were made last come first; those before the given one. */
  async list(projectId: string, before: string | null, limit: number): Promise<MemberRow[]> {
    return this.database.runPlanned(LIST, [projectId, before, limit]);
  }
}
