import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MemberRepository } from '../../src/hub/auth/member.repository.js';
import { PersonalTokenRepository } from '../../src/hub/auth/personal-token.repository.js';
import { UserRepository } from '../../src/hub/auth/user.repository.js';
import type { Run } from '../../src/hub/database/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

let bench: Bench;
let users: UserRepository;
let members: MemberRepository;
let tokens: PersonalTokenRepository;

beforeAll(async () => {
  bench = await openBench();
  users = new UserRepository(bench.database);
  members = new MemberRepository(bench.database);
  tokens = new PersonalTokenRepository(bench.database);
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const inPast = () => new Date(Date.now() - 60_000);

async function makeUser(over: object = {}): Promise<string> {
  const id = randomUUID();
  await bench.rows.insert('hub_user', { id, name: `u-${id}`, role: 'member', ...over });
  return id;
}

async function makeProject(): Promise<string> {
  const id = randomUUID();
  await bench.rows.insert('project', { id, name: `p-${id}`, created_by: id });
  return id;
}

async function makeToken(userId: string): Promise<Buffer> {
  const hash = randomBytes(32);
  await bench.rows.insert('personal_token', {
    id: randomUUID(),
    user_id: userId,
    name: 't',
    prefix: 'p',
    hash,
  });
  return hash;
}

/** What the second finds that begins while the first is not committed: it waits for that, or it does not. */
async function inTurn<T>(
  first: (run: Run) => Promise<unknown>,
  second: (run: Run) => Promise<T>,
): Promise<T> {
  let isOver = false;
  let found: Promise<T> | undefined;
  await bench.database.transaction(async (run) => {
    await first(run);
    found = bench.database.transaction(second).finally(() => {
      isOver = true;
    });
    await eventually(async () => isOver || (await isAnyWaiting()));
  });
  if (found === undefined) throw new Error('the second has not begun');
  return found;
}

async function isAnyWaiting(): Promise<boolean> {
  const { waiting } = await bench.rows.one(
    `select count(*)::integer as waiting from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return waiting > 0;
}

describe('the administrators of a hub', () => {
  it('are those who are let in, and nobody else', async () => {
    const admin = await makeUser({ role: 'admin' });
    await makeUser();
    await makeUser({ role: 'admin', disabled_at: inPast() });

    expect(await bench.database.transaction((run) => users.holdAdministrators(run))).toEqual([admin]);
    await bench.rows.sql.query(`update hub_user set role = 'member'`);
  });

  it('are made less one after the other: of two, the second finds one left', async () => {
    const [one, two] = [await makeUser({ role: 'admin' }), await makeUser({ role: 'admin' })];

    const left = await inTurn(
      async (run) => {
        await users.holdAdministrators(run);
        await users.update(run, one, { role: 'member' });
      },
      (run) => users.holdAdministrators(run),
    );

    expect(left).toEqual([two]);
  });
});

describe('the tokens of a person', () => {
  it('are made one after the other: the second counts the first', async () => {
    const userId = await makeUser();
    const made = {
      userId,
      name: 't',
      prefix: 'p',
      expiresInS: 60,
      access: 'write',
      projectIds: null,
    } as const;

    const counted = await inTurn(
      async (run) => {
        await tokens.holdHolder(run, userId);
        await tokens.create({ ...made, id: randomUUID(), hash: randomBytes(32) }, run);
      },
      async (run) => {
        await tokens.holdHolder(run, userId);
        return tokens.countLive(run, userId);
      },
    );

    expect(counted).toBe(1);
  });

  it('are not made for one who is disabled, and are good for nothing', async () => {
    const userId = await makeUser({ disabled_at: inPast() });
    const hash = await makeToken(userId);

    expect(await bench.database.transaction((run) => tokens.holdHolder(run, userId))).toBe(false);
    expect(await tokens.findHolder(hash)).toBeUndefined();
  });

  it('give what that person is in projects, and nobody else', async () => {
    const [userId, other] = [await makeUser(), await makeUser()];
    const [projectId, foreign] = [await makeProject(), await makeProject()];
    const by = { addedBy: userId };
    await members.set(bench.database.run, { projectId, userId, role: 'viewer', ...by });
    await members.set(bench.database.run, { projectId: foreign, userId: other, role: 'admin', ...by });

    const holder = await tokens.findHolder(await makeToken(userId));

    expect(holder?.memberships).toEqual({ [projectId]: 'viewer' });
  });
});

describe('a membership', () => {
  const set = (run: Run, projectId: string, userId: string, role: 'viewer' | 'operator' = 'viewer') =>
    members.set(run, { projectId, userId, role, addedBy: userId });

  it('is changed where the role is another, and says whether it was', async () => {
    const [projectId, userId] = [await makeProject(), await makeUser()];
    const { run } = bench.database;

    const changes = [
      await set(run, projectId, userId),
      await set(run, projectId, userId),
      await set(run, projectId, userId, 'operator'),
    ];

    expect(changes).toEqual([true, false, true]);
    expect(await members.get(projectId, userId)).toMatchObject({ role: 'operator' });
  });

  it('is not given to one who is disabled', async () => {
    const userId = await makeUser({ disabled_at: inPast() });

    expect(await bench.database.transaction((run) => members.holdPerson(run, userId))).toBe(false);
  });

  it('is given to a person one after the other: the second counts the first', async () => {
    const userId = await makeUser();
    const [one, two] = [await makeProject(), await makeProject()];

    const { projects } = await inTurn(
      async (run) => {
        await members.holdPerson(run, userId);
        await set(run, one, userId);
      },
      async (run) => {
        await members.holdPerson(run, userId);
        return members.count(run, two, userId);
      },
    );

    expect(projects).toBe(1);
  });

  it('is given in a project one after the other: the second counts the first', async () => {
    const projectId = await makeProject();
    const [one, two] = [await makeUser(), await makeUser()];

    const found = await inTurn(
      async (run) => {
        await members.holdProject(run, projectId);
        await set(run, projectId, one);
      },
      async (run) => {
        await members.holdProject(run, projectId);
        return members.count(run, projectId, two);
      },
    );

    expect(found.members).toBe(1);
  });
});
