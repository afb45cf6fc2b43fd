import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

const ID = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const ROW = { id: ID, createdAt: new Date(Date.now() - 5_000).toISOString(), retiredAt: null };

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

describe('the signing keys on the command line', () => {
  it('are listed with what they still do', async () => {
    const retired = { ...ROW, id: ID.replace('0198', '0197'), retiredAt: new Date().toISOString() };

    const { ran, asked } = await ask(['hub', 'keys', 'list'], { body: { items: [ROW, retired] } });

    expect(asked[0]).toMatchObject({ method: 'GET', path: '/api/v1/signing-keys' });
    expect(ran.out).toMatch(/0198.+ signs +5s\n0197.+ retired +5s\n/);
  });

  it('are rotated', async () => {
    const { ran, asked } = await ask(['hub', 'keys', 'rotate'], { body: ROW });

    expect(asked[0]).toMatchObject({ method: 'POST', path: '/api/v1/signing-keys/rotate' });
    expect(ran.out).toBe(`${ID} signs from now on.\n`);
  });
});
