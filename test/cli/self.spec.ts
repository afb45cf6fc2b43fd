import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { makeHome, runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

describe('within an agent', () => {
  const hubs: ScriptedHub[] = [];
  let home: ReturnType<typeof makeHome>;
  let file: string;

  beforeEach(() => {
    home = makeHome();
    file = join(home.path, 'token');
  });

  afterEach(async () => {
    home.remove();
    await Promise.all(hubs.splice(0).map((hub) => hub.close()));
  });

  afterAll(() => expectNoLeaks());

  async function open(...answers: Answer[]) {
    const hub = await ScriptedHub.open(...answers);
    hubs.push(hub);
    return { hub, env: { FAIRLEAD_AGENT_URL: hub.url, FAIRLEAD_AGENT_TOKEN_FILE: file } };
  }

  it('what it may read is asked for with what its file holds, and with no token of a person', async () => {
    const { hub, env } = await open({ body: { items: [], nextCursor: null } });
    writeFileSync(file, 'of.an.agent');

    const ran = await runCli(['self', 'messages', '--limit', '7'], {
      env: { ...env, FAIRLEAD_TOKEN: TOKEN, FAIRLEAD_URL: 'http://127.0.0.1:9' },
    });

    expect([ran.code, ran.err]).toEqual([0, expect.stringContaining('There is none.')]);
    expect(hub.asked[0]).toMatchObject({ method: 'GET', path: '/api/v1/self/messages?limit=7' });
    expect(hub.asked[0]?.headers.authorization).toBe('Bearer of.an.agent');
  });

  it('the answer of the hub is printed as it is with --json', async () => {
    const { hub, env } = await open({ body: { id: 'a', name: 'web' } });
    writeFileSync(file, 'of.an.agent\n');

    const ran = await runCli(['self', 'get', '--json'], { env });

    expect(ran.json()).toEqual({ id: 'a', name: 'web' });
    expect(hub.asked[0]).toMatchObject({ method: 'GET', path: '/api/v1/self' });
  });

  it('a refusal is told without what was shown', async () => {
    const { env } = await open({
      status: 401,
      body: { code: 'credential_invalid', detail: 'of.an.agent is over' },
    });
    writeFileSync(file, 'of.an.agent');

    const ran = await runCli(['self', 'get'], { env });

    expect(ran.code).toBe(3);
    expect(ran.err).not.toContain('of.an.agent');
  });

  it.each<[string, (env: Record<string, string>) => Record<string, string>]>([
    ['there is no file yet', (env) => env],
    ['the file is empty', (env) => (writeFileSync(file, ''), env)],
    ['no file is named', ({ FAIRLEAD_AGENT_URL = '' }) => ({ FAIRLEAD_AGENT_URL })],
    ['no hub is named', () => ({ FAIRLEAD_AGENT_TOKEN_FILE: file })],
    ['nothing is named', () => ({})],
  ])('nothing is asked where %s', async (_what, given) => {
    const { hub, env } = await open();

    const ran = await runCli(['self', 'get', '--json'], { env: given(env) });

    expect([ran.code, ran.json(), hub.asked]).toEqual([
      3,
      { error: expect.objectContaining({ code: 'no_agent' }) },
      [],
    ]);
  });
});
