import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { aDispatch } from './support/answers.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { ScriptedHub, type Answer } from './support/scripted-hub.js';

const hubs: ScriptedHub[] = [];

async function open(...answers: Answer[]): Promise<ScriptedHub> {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  return hub;
}

const as = (url: string) => ({ env: { FAIRLEAD_URL: url, FAIRLEAD_TOKEN: TOKEN } });

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(() => expectNoLeaks());

describe('a message on the command line', () => {
  it('is sent as it is given', async () => {
    const hub = await open({ body: aDispatch() });

    const ran = await runCli(['agents', 'send', 'web', ' two  words\n'], as(hub.url));

    expect(ran.code).toBe(0);
    expect(hub.asked[0]).toMatchObject({
      method: 'POST',
      path: '/api/v1/agents/web/messages',
      body: { text: ' two  words\n' },
    });
  });

  it('is what is piped in, without its last line end', async () => {
    const hub = await open({ body: aDispatch() });

    await runCli(['agents', 'send', 'web', '-'], { ...as(hub.url), stdin: 'one\ntwo – ✓\n' });

    expect(hub.asked[0]).toMatchObject({ body: { text: 'one\ntwo – ✓' } });
  });

  it.each([
    ['empty', ''],
    ['longer than 64 KiB', 'x'.repeat(64 * 1024 + 2)],
  ])('is refused before the hub is asked where it is %s', async (_what, stdin) => {
    const hub = await open();

    const ran = await runCli(['agents', 'send', 'web', '-'], { ...as(hub.url), stdin });

    expect([ran.code, hub.asked]).toEqual([2, []]);
  });

  it('is listed with its state, its reason and the beginning of its text', async () => {
    const from = { kind: 'person', id: '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33', name: 'ada' };
    const sent = { id: from.id, from, sentAt: new Date().toISOString(), receipt: null };
    const failed = { ...sent, text: 'a\n\tb', state: 'failed', reason: { code: 'agent_not_running' } };
    const hub = await open({ body: { items: [failed], nextCursor: null } });

    const ran = await runCli(['agents', 'messages', 'web'], as(hub.url));

    expect(hub.asked[0]).toMatchObject({ method: 'GET', path: '/api/v1/agents/web/messages' });
    expect(ran.out).toMatch(/ada +failed +\S+ +agent_not_running +a b/);
  });
});
