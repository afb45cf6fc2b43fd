import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { aDispatch } from './support/answers.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

const PROJECT = {
  id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33',
  name: 'web',
  minBrokerVersion: '1.10',
  maxPending: 500,
  revision: 4,
  createdBy: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e34',
  createdAt: new Date().toISOString(),
  updatedAt: new Date().toISOString(),
  archivedAt: null,
};

const hubs: ScriptedHub[] = [];

async function ask(argv: string[], ...answers: Answer[]) {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  const ran = await runCli(argv, { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });
  return { ran, asked: hub.asked[0] };
}

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(() => expectNoLeaks());

describe('projects on the command line', () => {
  it('are made with what is named, and nothing else', async () => {
    const { ran, asked } = await ask(['projects', 'create', 'web', '--max-pending', '500'], {
      body: PROJECT,
    });

    expect(ran.code).toBe(0);
    expect(ran.out).toContain('web');
    expect(asked).toMatchObject({ method: 'POST', path: '/api/v1/projects' });
    expect(asked?.body).toEqual({ name: 'web', maxPending: 500 });
  });

  it('are changed under the revision that was read', async () => {
    const argv = ['projects', 'update', 'web', '--min-broker-version', '1.10', '--revision', '3', '--json'];

    const { ran, asked } = await ask(argv, { body: PROJECT });

    expect(JSON.parse(ran.out)).toEqual(PROJECT);
    expect(asked).toMatchObject({ method: 'PATCH', path: '/api/v1/projects/web' });
    expect([asked?.body, asked?.headers['if-match']]).toEqual([{ minBrokerVersion: '1.10' }, '"3"']);
  });

  it('are not changed where nothing is named', async () => {
    const { ran, asked } = await ask(['projects', 'update', 'web']);

    expect([ran.code, asked]).toEqual([2, undefined]);
  });

  it('say why they take no commands for a broker', async () => {
    const why = {
      project: { id: PROJECT.id, name: 'web' },
      broker: { id: PROJECT.id, name: 'build-1' },
      cause: 'read_only',
      explanation: 'The broker runs fairlead/1.9.0, and web asks for 1.10.',
      unblocks: 'Upgrade the broker.',
      facts: [{ name: 'version floor', value: '1.10', at: null, ageS: null }],
    };

    const { ran, asked } = await ask(['projects', 'why', 'web', 'build-1'], { body: why });

    expect(asked?.path).toBe('/api/v1/projects/web/brokers/build-1/why');
    expect(ran.out).toMatch(/read_only[^]*web asks for 1\.10[^]*Upgrade[^]*version floor +1\.10/);
  });

  it('tell what came of a message to each of their agents, and fail if one was refused', async () => {
    const { dispatch } = aDispatch({ op: 'agent.message' });
    const problem = { code: 'quota_exceeded', title: '', detail: 'It is full.', remedy: '', status: 429 };
    const items = [
      { agent: 'one', dispatch, problem: null },
      { agent: 'two', dispatch: null, problem },
    ];

    const { ran, asked } = await ask(['projects', 'message', 'web', 'hello'], {
      body: { items, accepted: 1, refused: 1 },
    });

    expect(asked).toMatchObject({ path: '/api/v1/projects/web/messages', body: { text: 'hello' } });
    expect(ran.out).toMatch(/one +succeeded[^]*two +refused +- +quota_exceeded: It is full\./);
    expect(ran.code).toBe(1);
  });
});
