import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

const NOW = new Date().toISOString();
const ID = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const USER = {
  id: ID,
  name: 'ada',
  email: 'ada@example.com',
  role: 'member',
  createdAt: NOW,
  changedAt: NOW,
  disabledAt: null,
};
const ROW = {
  id: ID,
  name: 'nightly',
  prefix: 'flp_abcdefgh',
  access: 'read',
  projects: [ID],
  createdAt: NOW,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: NOW,
};

const hubs: ScriptedHub[] = [];

async function ask(argv: string[], ...answers: Answer[]) {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  const ran = await runCli(argv, { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });
  return { ran, asked: hub.asked };
}

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(() => expectNoLeaks());

describe('users on the command line', () => {
  it.each([
    [['create', 'ada', '--email', 'ada@example.com'], 'POST', '', { name: 'ada', email: 'ada@example.com' }],
    [['update', 'ada', '--role', 'admin', '--json'], 'PATCH', '/ada', { role: 'admin' }],
    [['disable', 'ada'], 'DELETE', '/ada', undefined],
    [['enable', 'ada'], 'POST', '/ada/enable', undefined],
    [['get', 'ada'], 'GET', '/ada', undefined],
  ])('%j', async (argv, method, path, body) => {
    const { ran, asked } = await ask(['users', ...argv], { body: USER });

    expect(ran.code).toBe(0);
    expect(ran.out).toContain('ada@example.com');
    expect(asked[0]).toMatchObject({ method, path: `/api/v1/users${path}` });
    expect(asked[0]?.body).toEqual(body);
  });

  it('are listed, those that are disabled where that is asked for', async () => {
    const gone = { ...USER, disabledAt: NOW };

    const { ran, asked } = await ask(['users', 'list', '--disabled'], {
      body: { items: [gone], nextCursor: null },
    });

    expect(ran.out).toMatch(/ada@example\.com +member .*disabled/);
    expect(asked[0]?.path).toBe('/api/v1/users?disabled=true');
  });

  it('are not changed where nothing is named', async () => {
    const { ran, asked } = await ask(['users', 'update', 'ada']);

    expect([ran.code, asked]).toEqual([2, []]);
  });
});

describe('invites on the command line', () => {
  const made = { id: ID, token: 'fli_secret', expiresAt: NOW };
  const invite = {
    id: ID,
    userId: ID,
    name: 'ada',
    email: 'ada@example.com',
    role: 'member',
    createdBy: ID,
    createdByName: 'admin',
    createdAt: NOW,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    redeemedAt: null,
    revokedAt: null,
    state: 'open',
  };

  it.each([[['invites', 'create']], [['users', 'invite']]])(
    'are made by %j for a user, and shown alone on stdout',
    async (words) => {
      const { ran, asked } = await ask([...words, 'ada', '--expires', '1h'], { status: 201, body: made });

      expect(ran.out).toBe('fli_secret\n');
      expect(asked[0]).toMatchObject({
        method: 'POST',
        path: '/api/v1/users/ada/invites',
        body: { expiresInS: 3_600 },
      });
    },
  );

  it('are listed with whom they are for, what became of them and who made them', async () => {
    const gone = { ...invite, email: null, state: 'revoked', revokedAt: NOW, createdByName: null };

    const { ran, asked } = await ask(['invites', 'list'], {
      body: { items: [invite, gone], nextCursor: null },
    });

    expect(ran.out).toMatch(/ada +ada@example\.com +member +open +in 1h +admin +\d+s\n/);
    expect(ran.out).toMatch(new RegExp(`ada +- +member +revoked +- +${ID} +\\d+s\\n`));
    expect(asked[0]?.path).toBe('/api/v1/invites');
  });

  it('are listed as the hub tells them with --json', async () => {
    const body = { items: [invite], nextCursor: null };

    const { ran } = await ask(['invites', 'list', '--json'], { body });

    expect(JSON.parse(ran.out)).toEqual(body);
  });

  it('are revoked by their id', async () => {
    const revoked = await ask(['invites', 'revoke', ID], { status: 204 });
    const told = await ask(['invites', 'revoke', ID, '--json'], { status: 204 });

    expect([revoked.ran.code, revoked.ran.out]).toEqual([0, `Revoked ${ID}.\n`]);
    expect(revoked.asked[0]).toMatchObject({ method: 'DELETE', path: `/api/v1/invites/${ID}` });
    expect(JSON.parse(told.ran.out)).toEqual({ id: ID, revoked: true });
  });
});

describe('members on the command line', () => {
  it('are set by the names of project, user and role', async () => {
    const { ran, asked } = await ask(['members', 'set', 'web', 'ada', 'operator'], {
      body: { userId: ID, name: 'ada', role: 'operator' },
    });

    expect(ran.out).toBe('ada is operator in web.\n');
    expect(asked[0]).toMatchObject({
      method: 'PUT',
      path: '/api/v1/projects/web/members/ada',
      body: { role: 'operator' },
    });
  });

  it('have one of three roles', async () => {
    const { ran, asked } = await ask(['members', 'set', 'web', 'ada', 'root']);

    expect([ran.code, asked]).toEqual([2, []]);
  });

  it('are listed and removed', async () => {
    const member = { userId: ID, name: 'ada', email: null, role: 'viewer', createdAt: NOW, disabledAt: null };

    const listed = await ask(['members', 'list', 'web'], { body: { items: [member], nextCursor: null } });
    const removed = await ask(['members', 'remove', 'web', 'ada'], { status: 204 });

    expect(listed.ran.out).toMatch(/ada .*viewer .*let in/);
    expect(removed.ran.out).toBe('ada is no member of web.\n');
    expect(removed.asked[0]).toMatchObject({ method: 'DELETE', path: '/api/v1/projects/web/members/ada' });
  });
});

describe('tokens on the command line', () => {
  it('are made for the projects that are named, and shown alone on stdout', async () => {
    const argv = ['tokens', 'create', 'nightly', '--read-only', '--expires', '1d', '--project', 'web'];

    const { ran, asked } = await ask(
      argv,
      { body: { id: ID, name: 'web' } },
      { body: { ...ROW, token: 'flp_secret' } },
    );

    expect(ran.out).toBe('flp_secret\n');
    expect(asked.map(({ path }) => path)).toEqual(['/api/v1/projects/web', '/api/v1/tokens']);
    expect(asked[1]?.body).toEqual({ name: 'nightly', expiresInS: 86_400, access: 'read', projects: [ID] });
  });

  it('are listed with what they are good for and when they were used, and revoked', async () => {
    const listed = await ask(['tokens', 'list'], { body: { items: [ROW], nextCursor: null } });
    const revoked = await ask(['tokens', 'revoke', ID], { status: 204 });

    expect(listed.ran.out).toMatch(/nightly +flp_abcdefgh\.\.\. +read +1 +usable +never +\d+s ago/);
    expect([revoked.ran.out, revoked.asked[0]?.path]).toEqual([`Revoked ${ID}.\n`, `/api/v1/tokens/${ID}`]);
  });

  it('are made for a user by an administrator', async () => {
    const { ran, asked } = await ask(['users', 'token', 'builder', 'nightly'], {
      body: { ...ROW, token: 'flp_secret' },
    });

    expect(ran.out).toBe('flp_secret\n');
    expect(asked[0]).toMatchObject({ path: '/api/v1/users/builder/tokens', body: { name: 'nightly' } });
  });
});
