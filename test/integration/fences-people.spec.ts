import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DeviceGrantRepository } from '../../src/hub/auth/device-grant.repository.js';
import { InviteRepository } from '../../src/hub/auth/invite.repository.js';
import { IdentityRepository } from '../../src/hub/auth/oidc/identity.repository.js';
import { MemberRepository } from '../../src/hub/auth/member.repository.js';
import { PersonalTokenRepository } from '../../src/hub/auth/personal-token.repository.js';
import { SessionRepository } from '../../src/hub/auth/session.repository.js';
import { SignInRepository } from '../../src/hub/auth/sign-in.repository.js';
import { UserRepository } from '../../src/hub/auth/user.repository.js';
import type { Run } from '../../src/hub/database/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

let bench: Bench;
let users: UserRepository;
let members: MemberRepository;
let tokens: PersonalTokenRepository;
let sessions: SessionRepository;
let signIns: SignInRepository;
let invites: InviteRepository;

beforeAll(async () => {
  bench = await openBench();
  users = new UserRepository(bench.database);
  members = new MemberRepository(bench.database);
  tokens = new PersonalTokenRepository(bench.database);
  sessions = new SessionRepository(bench.database);
  signIns = new SignInRepository(bench.database);
  invites = new InviteRepository(bench.database);
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

describe('a session', () => {
  type Session = { id: string; userId: string; first: Buffer };

  /** With its first refresh token, which is not used yet. */
  async function makeSession(over: object = {}, user: object = {}): Promise<Session> {
    const [id, first, userId] = [randomUUID(), randomBytes(32), await makeUser(user)];
    const expires_at = new Date(Date.now() + 60_000);
    await bench.rows.insert('user_session', { id, user_id: userId, expires_at, ...over });
    await sessions.give(bench.database.run, first, id, null);
    return { id, userId, first };
  }

  const show = (hash: Buffer) => bench.database.transaction((run) => sessions.show(run, hash));

  /** Shows a token, and is given the next. */
  async function step({ id }: Session, hash: Buffer, run: Run = bench.database.run): Promise<Buffer> {
    const next = randomBytes(32);
    await sessions.use(run, id, hash);
    await sessions.give(run, next, id, hash);
    return next;
  }

  it('is found by its token, and by no other', async () => {
    const session = await makeSession();

    expect(await show(session.first)).toMatchObject({
      sessionId: session.id,
      userId: session.userId,
      isGood: true,
    });
    expect(await show(randomBytes(32))).toBeUndefined();
    expect(await sessions.findHolder(session.id)).toMatchObject({ userId: session.userId });
  });

  it.each<[string, object, object]>([
    ['has ended', { ended_at: inPast() }, {}],
    ['is over', { expires_at: inPast() }, {}],
    ['is of one who is disabled', {}, { disabled_at: inPast() }],
  ])('that %s is found by nothing', async (_what, over, user) => {
    const { id, first } = await makeSession(over, user);

    expect(await show(first)).toBeUndefined();
    expect(await sessions.findHolder(id)).toBeUndefined();
  });

  it('takes the token that was shown last and what was given for it, and none that came before', async () => {
    const session = await makeSession();
    const [second, beside] = [await step(session, session.first), await step(session, session.first)];
    const good = async () =>
      Promise.all([session.first, second, beside].map(async (hash) => (await show(hash))?.isGood));
    expect(await good()).toEqual([true, true, true]);

    await step(session, second);

    expect(await good()).toEqual([false, true, false]);
  });

  it('does not take a second token that never was shown, beside the first that was', async () => {
    const session = await makeSession();
    const other = randomBytes(32);
    await sessions.give(bench.database.run, other, session.id, null);

    await step(session, session.first);

    expect(await show(other)).toMatchObject({ isGood: false });
  });

  it('is judged by one after the other: the second token by what the first has made of it', async () => {
    const session = await makeSession();
    const second = await step(session, session.first);

    const found = await inTurn(
      async (run) => {
        await sessions.show(run, second);
        await step(session, second, run);
      },
      (run) => sessions.show(run, session.first),
    );

    expect(found).toMatchObject({ sessionId: session.id, isGood: false });
  });

  it('is ended by newer ones of its user, where it is one too many', async () => {
    const [own, other] = [await makeSession(), await makeSession()];
    const newer = await makeSession();
    await bench.rows.sql.query(
      `update user_session set user_id = $1, id = 'ffffffff-0000-7000-8000-000000000000', expires_at = now() where id = $2`,
      [own.userId, (await makeUnused()).id],
    );

    await sessions.endOldest(bench.database.run, own.userId, 1);
    const kept = [await sessions.findHolder(own.id), await sessions.findHolder(other.id)];
    await bench.rows.sql.query(`update user_session set user_id = $1 where id = $2`, [own.userId, newer.id]);
    await sessions.endOldest(bench.database.run, own.userId, 1);
    const left = [await sessions.findHolder(own.id), await sessions.findHolder(newer.id)];

    expect(kept.map((holder) => holder !== undefined)).toEqual([true, true]);
    expect(left.filter((holder) => holder !== undefined)).toHaveLength(1);
  });

  /** Without a token, so that it can be given another id. */
  async function makeUnused(): Promise<{ id: string }> {
    const [id, userId] = [randomUUID(), await makeUser()];
    await bench.rows.insert('user_session', { id, user_id: userId, expires_at: inPast() });
    return { id };
  }

  it('is forgotten a day after it is over, with its tokens, and not before', async () => {
    const over = await makeSession({ expires_at: new Date(Date.now() - 25 * 3_600_000) });
    const lately = await makeSession({ expires_at: inPast() });

    expect(await sessions.sweep(100)).toBe(1);

    const { rows } = await bench.rows.sql.query('select session_id as id from refresh_token');
    expect(rows).toContainEqual({ id: lately.id });
    expect(rows).not.toContainEqual({ id: over.id });
  });
});

describe('an invite', () => {
  async function makeInvite(
    over: object = {},
    user: object = {},
  ): Promise<{ id: string; userId: string; hash: Buffer }> {
    const [id, userId, hash] = [randomUUID(), await makeUser(user), randomBytes(32)];
    const expires_at = new Date(Date.now() + 60_000);
    await bench.rows.insert('invite', {
      id,
      user_id: userId,
      hash,
      created_by: userId,
      expires_at,
      ...over,
    });
    return { id, userId, hash };
  }

  async function kept(id: string): Promise<{ isOver: boolean; isRevoked: boolean }> {
    return bench.rows.one(
      `select expires_at <= now() as "isOver", revoked_at is not null as "isRevoked" from invite where id = $1`,
      [id],
    );
  }

  it('is redeemed once', async () => {
    const { userId, hash } = await makeInvite();
    const { run } = bench.database;

    expect(await signIns.isOpen(hash)).toBe(true);
    expect(await signIns.redeem(run, hash)).toMatchObject({ userId });
    expect(await signIns.isOpen(hash)).toBe(false);
    expect(await signIns.redeem(run, hash)).toBeUndefined();
  });

  it.each<[string, object, object]>([
    ['is over', { expires_at: inPast() }, {}],
    ['was revoked', { revoked_at: inPast() }, {}],
    ['is of one who is disabled', {}, { disabled_at: inPast() }],
  ])('that %s is not redeemed', async (_what, over, user) => {
    const { hash } = await makeInvite(over, user);

    expect(await signIns.isOpen(hash)).toBe(false);
    expect(await signIns.redeem(bench.database.run, hash)).toBeUndefined();
  });

  it('is good no more when another is made for its user, and those of others are', async () => {
    const [mine, other] = [await makeInvite(), await makeInvite()];
    const { run } = bench.database;
    const made = { id: randomUUID(), userId: mine.userId, hash: randomBytes(32), createdBy: mine.userId };

    await invites.create(run, { ...made, expiresInS: 60 });

    expect(await signIns.redeem(run, mine.hash)).toBeUndefined();
    expect(await signIns.redeem(run, other.hash)).toMatchObject({ userId: other.userId });
    expect(await signIns.redeem(run, made.hash)).toMatchObject({ userId: mine.userId });
    // The release before goes by the end alone.
    expect(await kept(mine.id)).toEqual({ isOver: true, isRevoked: true });
  });

  it('is the newest alone also where two are made at the same moment', async () => {
    const userId = await makeUser();
    const [first, second] = [randomBytes(32), randomBytes(32)];
    const made = (hash: Buffer) => ({ id: randomUUID(), userId, hash, createdBy: userId, expiresInS: 60 });

    await inTurn(
      (run) => invites.create(run, made(first)),
      (run) => invites.create(run, made(second)),
    );

    const { run } = bench.database;
    expect(await signIns.redeem(run, first)).toBeUndefined();
    expect(await signIns.redeem(run, second)).toMatchObject({ userId });
  });

  it('that was redeemed, or is over, is not revoked by another that is made', async () => {
    const redeemed = await makeInvite();
    const { run } = bench.database;
    await signIns.redeem(run, redeemed.hash);
    const { userId } = redeemed;
    const over = { id: randomUUID(), user_id: userId, hash: randomBytes(32), created_by: userId };
    await bench.rows.insert('invite', { ...over, expires_at: inPast() });

    await invites.create(run, {
      id: randomUUID(),
      userId,
      hash: randomBytes(32),
      createdBy: userId,
      expiresInS: 60,
    });

    expect(await kept(redeemed.id)).toEqual({ isOver: false, isRevoked: false });
    expect(await kept(over.id)).toEqual({ isOver: true, isRevoked: false });
  });

  it('is revoked alone, and for replicas of the release before as well', async () => {
    const [mine, other] = [await makeInvite(), await makeInvite()];
    const { run } = bench.database;

    expect(await invites.revoke(run, mine.id)).toMatchObject({ userId: mine.userId });

    expect(await kept(mine.id)).toEqual({ isOver: true, isRevoked: true });
    expect(await kept(other.id)).toEqual({ isOver: false, isRevoked: false });
  });

  it('that was revoked keeps the time of that, and its end', async () => {
    const at = inPast();
    const { id } = await makeInvite({ revoked_at: at, expires_at: at });

    await invites.revoke(bench.database.run, id);

    const row = await bench.rows.one('select expires_at, revoked_at from invite where id = $1', [id]);
    expect(row).toEqual({ expires_at: at, revoked_at: at });
  });

  it('that is redeemed is not revoked: the second of the two finds what the first has done', async () => {
    const { id, hash } = await makeInvite();

    const revoked = await inTurn(
      (run) => signIns.redeem(run, hash),
      (run) => invites.revoke(run, id),
    );

    expect(revoked).toBeUndefined();
    expect(await kept(id)).toEqual({ isOver: false, isRevoked: false });
  });

  it('that is revoked is not redeemed by who has begun before that', async () => {
    const { id, hash } = await makeInvite();

    // Its time is that at which it began: by that the end of the invite has not come.
    const redeemed = await bench.database.transaction(async (run) => {
      await run({ name: 'begin_of_a_redemption', text: 'select now()' }, []);
      await bench.database.transaction((other) => invites.revoke(other, id));
      return signIns.redeem(run, hash);
    });

    expect(redeemed).toBeUndefined();
  });
});

it('somebody whom a provider vouches for is not made under a name or an address that is taken', async () => {
  const identities = new IdentityRepository(bench.database);
  const { run } = bench.database;
  const name = `i-${randomUUID()}`;

  const made = [
    await identities.create(run, randomUUID(), name, `${name}@example.com`),
    await identities.create(run, randomUUID(), name, 'other@example.com'),
    await identities.create(run, randomUUID(), `${name}-2`, `${name}@EXAMPLE.com`),
  ];

  expect(made).toEqual([true, false, false]);
});

describe('a device grant', () => {
  const PLACES = { ofHub: 4, ofAddress: 2 };
  const grants = () => new DeviceGrantRepository(bench.database);
  const codes = () => ({ deviceHash: randomBytes(32), userHash: randomBytes(32) });
  const make = (addressKey: string, over: object = {}) =>
    grants().create(
      {
        id: randomUUID(),
        ...codes(),
        name: 'n',
        address: 'a',
        addressKey,
        livesS: 60,
        intervalS: 5,
        ...over,
      },
      PLACES,
    );
  const answerAll = async () =>
    bench.rows.sql.query(`update device_grant set answer = 'denied', answered_by = $1 where answer is null`, [
      await makeUser(),
    ]);

  beforeEach(() => bench.rows.sql.query('delete from device_grant'));

  it('is made while one of its address’s places is free, and no further', async () => {
    const made = [await make('one'), await make('one'), await make('one'), await make('other')];

    expect(made).toEqual(['made', 'made', 'full', 'made']);
  });

  it('is made while one of the hub’s places is free, from wherever, and no further', async () => {
    const made = [];
    for (const address of ['one', 'one', 'two', 'two', 'three']) made.push(await make(address));

    expect(made).toEqual(['made', 'made', 'made', 'made', 'full']);
  });

  it('has its place until it is answered or over', async () => {
    await make('one');
    await make('one', { livesS: 0 });
    const beside = [await make('one'), await make('one')];
    await answerAll();

    expect([...beside, await make('one')]).toEqual(['made', 'full', 'made']);
  });

  it('is not made with the code of another, which is told from there being no place', async () => {
    const { userHash } = codes();

    expect([await make('one', { userHash }), await make('one', { userHash })]).toEqual(['made', 'taken']);
  });
});

it('a device grant is forgotten an hour after its end, and not before', async () => {
  const grants = new DeviceGrantRepository(bench.database);
  const ended = [30, 90].map((minutes) => new Date(Date.now() - minutes * 60_000));
  for (const expires_at of ended) {
    const codes = { device_hash: randomBytes(32), user_hash: randomBytes(32) };
    const row = { id: randomUUID(), name: 'n', address: '::1', interval_s: 5, expires_at, ...codes };
    await bench.rows.insert('device_grant', row);
  }

  expect([await grants.sweep(10), await grants.sweep(10)]).toEqual([1, 0]);
});

describe('a password', () => {
  it('that is set takes the place of the one before', async () => {
    const userId = await makeUser();
    for (const hash of ['one', 'two']) await signIns.setPassword(bench.database.run, userId, hash);

    expect(await signIns.password(userId)).toBe('two');
  });

  it('is changed by who knows the one that there is', async () => {
    const userId = await makeUser();
    const change = (from: string | null, to: string) =>
      signIns.changePassword(bench.database.run, userId, from, to);

    const changed = [await change(null, 'one'), await change('one', 'two')];
    const refused = [await change('one', 'three'), await change(null, 'three')];

    expect([changed, refused]).toEqual([
      [true, true],
      [false, false],
    ]);
    expect(await signIns.password(userId)).toBe('two');
  });

  it('is held by who signs in while it is the one, and set by another after that', async () => {
    const userId = await makeUser();
    const { run } = bench.database;
    await signIns.setPassword(run, userId, 'one');

    const sessionId = randomUUID();
    const ended = await inTurn(
      async (first) => {
        expect(await signIns.holdPassword(first, userId, 'one')).toBe(true);
        await sessions.begin(first, sessionId, userId, 60);
      },
      async (second) => {
        await signIns.setPassword(second, userId, 'two');
        return sessions.endAll(second, userId, null);
      },
    );

    expect(ended).toBe(1);
    expect(await signIns.holdPassword(run, userId, 'one')).toBe(false);
  });

  it('that is being changed is held by nobody who knows the one before', async () => {
    const userId = await makeUser();
    await signIns.setPassword(bench.database.run, userId, 'one');

    const isHeld = await inTurn(
      (first) => signIns.setPassword(first, userId, 'two'),
      (second) => signIns.holdPassword(second, userId, 'one'),
    );

    expect(isHeld).toBe(false);
  });
});
