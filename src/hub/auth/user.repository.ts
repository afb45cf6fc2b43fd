import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { violatedUnique } from '../database/database.errors.js';
import { statement } from '../database/statement.js';
import { EmailTaken, UserNameTaken } from './auth.errors.js';
import type { Role } from './principal.js';

export type UserRow = {
  id: string;
  name: string;
  email: string | null;
  role: Role;
  createdAt: Date;
  changedAt: Date;
  disabledAt: Date | null;
};

/** What is to be changed; what is left out stays. */
export type UserChange = { role?: Role | undefined; email?: string | null | undefined };

const COLUMNS = `id, name, email, role, created_at as "createdAt", changed_at as "changedAt", disabled_at as "disabledAt"`;

const CREATE = statement(
  'create_user',
  `
  insert into hub_user (id, name, email, role)
  values ($1, $2, lower($3), $4)
  returning ${COLUMNS}
  `,
);

const LIST = statement(
  'list_users',
  `
  select ${COLUMNS}
  from hub_user
  where ($1::uuid is null or id < $1)
    and ($3::text is null or role = $3)
    and ($4::boolean or disabled_at is null)
  order by id desc
  limit $2
  `,
);

const GET = statement('get_user', `select ${COLUMNS} from hub_user where id = $1`);

const ID_OF_NAME = statement('find_user_by_name', `select id from hub_user where name = $1`);

// Taken before anybody is demoted or disabled, in one order: of two that take each other's role, the second finds one left.
const HOLD_ADMINISTRATORS = statement(
  'hold_active_administrators',
  `select id from hub_user where role = 'admin' and disabled_at is null order by id for update`,
);

const UPDATE = statement(
  'update_user',
  `
  update hub_user
  set role = coalesce($2, role),
      email = case when $3::boolean then lower($4) else email end,
      changed_at = now()
  where id = $1
  returning ${COLUMNS}
  `,
);

const DISABLE = statement(
  'disable_user',
  `
  update hub_user
  set disabled_at = now(), changed_at = now()
  where id = $1 and disabled_at is null
  returning id
  `,
);

const ENABLE = statement(
  'enable_user',
  `
  update hub_user
  set disabled_at = null, changed_at = now()
  where id = $1 and disabled_at is not null
  returning id
  `,
);

/** SQL of users. */
@Injectable()
export class UserRepository {
  constructor(private readonly database: Database) {}

  /** @throws UserNameTaken, EmailTaken */
  async create(run: Run, user: Pick<UserRow, 'id' | 'name' | 'email' | 'role'>): Promise<UserRow> {
    const { id, name, email, role } = user;
    const [row] = await orTaken(() => run<UserRow>(CREATE, [id, name, email, role]));
    if (row === undefined) throw new Error('an insert gave no row');
    return row;
  }

  /** Newest first, those made before the given one. */
  async list(
    before: string | null,
    { role, withDisabled }: { role: Role | null; withDisabled: boolean },
    limit: number,
  ): Promise<UserRow[]> {
    return this.database.runPlanned(LIST, [before, limit, role, withDisabled]);
  }

  async get(id: string, run: Run = this.database.run): Promise<UserRow | undefined> {
    return (await run<UserRow>(GET, [id]))[0];
  }

  async idOfName(name: string): Promise<string | undefined> {
    return (await this.database.run<{ id: string }>(ID_OF_NAME, [name]))[0]?.id;
  }

  /** Holds them until the end of the transaction: nobody else is made less meanwhile. */
  async holdAdministrators(run: Run): Promise<string[]> {
    return (await run<{ id: string }>(HOLD_ADMINISTRATORS)).map(({ id }) => id);
  }

  /** @throws EmailTaken */
  async update(run: Run, id: string, { role, email }: UserChange): Promise<UserRow | undefined> {
    const values = [id, role ?? null, email !== undefined, email ?? null];
    return (await orTaken(() => run<UserRow>(UPDATE, values)))[0];
  }

  /** @returns false where it was so already, or there is none */
  async disable(run: Run, id: string): Promise<boolean> {
    return (await run(DISABLE, [id])).length > 0;
  }

  /** @returns false where it was so already, or there is none */
  async enable(run: Run, id: string): Promise<boolean> {
    return (await run(ENABLE, [id])).length > 0;
  }
}

async function orTaken<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const violated = violatedUnique(error);
    if (violated === 'hub_user_name_is_unique') throw new UserNameTaken();
    if (violated === 'hub_user_email_is_unique') throw new EmailTaken();
    throw error;
  }
}
