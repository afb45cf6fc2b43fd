import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { makeHome, runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

const ME = { kind: 'person', userId: 'user-1', name: 'admin', role: 'admin', credentialId: 'token-1' };

let home: ReturnType<typeof makeHome>;
const opened: ScriptedHub[] = [];

beforeEach(() => {
  home = makeHome();
});

afterEach(async () => {
  home.remove();
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

afterAll(() => expectNoLeaks());

const env = () => ({ FAIRLEAD_HOME: home.path });
const run = (argv: string[], more: object = {}) => runCli(argv, { env: { ...env(), ...more } });

async function open(...answers: Answer[]): Promise<ScriptedHub> {
  const hub = await ScriptedHub.open(...answers);
  opened.push(hub);
  return hub;
}

describe('contexts', () => {
  it('keep several hubs, each with a token of its own that others cannot read', async () => {
    const [one, other] = [await open({ body: ME }), await open({ body: ME })];
    await run(['login', one.url, '--token', TOKEN]);

    const added = await run(['context', 'add', 'staging', other.url, '--token', 'flp_other']);

    const file = join(home.path, 'contexts', 'staging.json');
    expect(added.code).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: other.url, token: 'flp_other' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await run(['context', 'list', '--json'])).json()).toEqual({
      items: [
        { name: 'default', url: one.url, isCurrent: true },
        { name: 'staging', url: other.url, isCurrent: false },
      ],
    });
  });

  it('are used by later commands, by one command, and by no other', async () => {
    const [one, other] = [await open({ body: ME }), await open({ body: ME })];
    await run(['login', one.url, '--token', TOKEN]);
    await run(['context', 'add', 'staging', other.url, '--token', 'flp_other']);
    const tokens = () => other.asked.slice(1).map(({ headers }) => headers.authorization);

    await run(['whoami'], { FAIRLEAD_CONTEXT: 'staging' });
    await run(['whoami']);
    await run(['context', 'use', 'staging']);
    await run(['whoami']);
    await run(['context', 'use', 'default']);
    await run(['whoami']);

    expect(tokens()).toEqual(['Bearer flp_other', 'Bearer flp_other']);
    expect(one.asked).toHaveLength(3);
  });

  it('are logged in to and out of as the current one', async () => {
    const [one, other] = [await open({ body: ME }), await open({ body: ME })];
    await run(['context', 'add', 'staging', one.url, '--token', TOKEN]);
    await run(['context', 'use', 'staging']);

    await run(['login', other.url, '--token', 'flp_other']);

    const file = join(home.path, 'contexts', 'staging.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: other.url, token: 'flp_other' });
    expect(existsSync(join(home.path, 'credentials.json'))).toBe(false);
    await run(['logout']);
    expect(existsSync(file)).toBe(false);
  });

  it('are removed with the token that their login has made, and the default one is current then', async () => {
    const hub = await open({ body: ME }, { status: 204 });
    await run(['context', 'add', 'staging', hub.url, '--token', TOKEN]);
    await run(['context', 'use', 'staging']);
    const file = join(home.path, 'contexts', 'staging.json');
    writeFileSync(file, JSON.stringify({ url: hub.url, token: TOKEN, tokenId: 'token-9' }));

    const removed = await run(['context', 'remove', 'staging']);

    expect(removed).toMatchObject({ code: 0, out: 'Removed staging.\n' });
    expect(hub.asked.at(-1)).toMatchObject({ method: 'DELETE', path: '/api/v1/tokens/token-9' });
    expect((await run(['context', 'list', '--json'])).json()).toEqual({ items: [] });
    expect((await run(['whoami'])).code).toBe(3);
  });

  it.each<[string, (path: string) => void]>([
    ['cannot be read', (path) => mkdirSync(path)],
    ['is damaged', (path) => writeFileSync(path, '\0\0\0\0')],
  ])('end with 78, and ask no hub, where the choice %s', async (what, spoil) => {
    const hub = await open({ body: ME });
    await run(['login', hub.url, '--token', TOKEN]);
    spoil(join(home.path, 'context'));

    const ran = await run(['agents', 'delete', 'web']);

    expect(ran.code).toBe(78);
    expect(ran.err).toContain(`${join(home.path, 'context')} ${what}`);
    expect(hub.asked).toHaveLength(1);
  });

  it.each([
    [['context', 'use', 'nowhere']],
    [['context', 'remove', 'nowhere']],
    [['context', 'use', '../up']],
    [['context', 'add', 'x'.repeat(64), 'http://127.0.0.1:1', '--token', TOKEN]],
  ])('that are none end with 2: %j', async (argv) => {
    expect((await run(argv)).code).toBe(2);
  });

  it('of the environment that are none end with 2', async () => {
    expect((await run(['whoami'], { FAIRLEAD_CONTEXT: '../up' })).code).toBe(2);
  });
});

describe('password', () => {
  const change = async (argv: string[], stdin = '') => {
    const hub = await open({ body: ME }, { status: 204 });
    await run(['login', hub.url, '--token', TOKEN]);
    const ran = await runCli(['password', ...argv], { env: env(), stdin });
    return { ran, hub };
  };

  it('is changed by who knows the current one, and neither is printed', async () => {
    const current = join(home.path, 'current');
    writeFileSync(current, 'the old battery\n');

    const { ran, hub } = await change(['--current-file', current], 'the new battery\n');

    expect(ran.code).toBe(0);
    expect(hub.asked.at(-1)).toMatchObject({
      method: 'PUT',
      path: '/api/v1/me/password',
      body: { current: 'the old battery', password: 'the new battery' },
    });
    expect(ran.out + ran.err).not.toContain('battery');
  });

  it('is set by who has none', async () => {
    const { hub } = await change(['--first'], 'the new battery\n');

    expect(hub.asked.at(-1)?.body).toEqual({ password: 'the new battery' });
  });

  it.each([[[]], [['--current-file', '-']], [['--first', '--current-file', 'x']]])(
    'is not guessed out of a pipe: %j',
    async (argv) => {
      const { ran, hub } = await change(argv, 'one\ntwo\n');

      expect(ran.code).toBe(2);
      expect(hub.asked).toHaveLength(1);
    },
  );
});
