import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { aDispatch, anAgent, DISPATCH_ID } from './support/answers.js';
import { ctrlCAtPause, pressCtrlC } from './support/ctrl-c.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const EMPTY_SCREEN = '\u001b[H\u001b[2J';
const HEADING = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, every 2s$/gm;

/** Before any command has run. */
const HANDLERS = process.listenerCount('SIGINT');

const hubs: ScriptedHub[] = [];

async function open(...answers: Answer[]): Promise<ScriptedHub> {
  const hub = await ScriptedHub.open(...answers);
  hubs.push(hub);
  return hub;
}

const as = ({ url }: ScriptedHub) => ({ env: { FAIRLEAD_URL: url, FAIRLEAD_TOKEN: TOKEN } });
const page = (...items: unknown[]): Answer => ({ body: { items, nextCursor: null } });
const documentsIn = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

afterAll(() => expectNoLeaks());

describe('a list with --watch', () => {
  it.each(['agents', 'brokers', 'dispatches', 'replicas', 'join-tokens', 'invites'])(
    'shows %s again and again until Ctrl-C, and ends with 0',
    async (group) => {
      const hub = await open(page());

      const ran = await runCli([group, 'list', '--watch'], { ...as(hub), onPause: ctrlCAtPause(3) });

      expect(ran.code).toBe(0);
      expect(ran.pauses).toEqual([2_000, 2_000, 2_000]);
      expect(hub.asked).toHaveLength(3);
    },
  );

  it('shows how far one command is, for as long as it is watched', async () => {
    const progress = { fraction: 0.425, note: 'copying \u001b[2J files', at: new Date().toISOString() };
    const hub = await open({ body: aDispatch({ state: 'running', progress }) });

    const ran = await runCli(['dispatches', 'get', DISPATCH_ID, '--watch'], {
      ...as(hub),
      onPause: ctrlCAtPause(2),
    });

    expect(ran.code).toBe(0);
    expect(hub.asked).toHaveLength(2);
    expect(ran.out.match(/^progress +42 %, copying .* files$/gm)).toHaveLength(2);
    expect(ran.out).not.toContain('\u001b[2J');
  });

  it('does not wait and watch at a time', async () => {
    const ran = await runCli(['dispatches', 'get', DISPATCH_ID, '--watch', '--wait', '5'], as(await open()));

    expect(ran.code).toBe(2);
  });

  it('pauses for as long as it is told', async () => {
    const hub = await open(page());

    const ran = await runCli(['agents', 'list', '--watch', '1m'], {
      ...as(hub),
      onPause: ctrlCAtPause(2, 60_000),
    });

    expect(ran.pauses).toEqual([60_000, 60_000]);
  });

  it.each(['0', 'soon', '2d'])('does not take %s for an interval', async (interval) => {
    const ran = await runCli(['agents', 'list', '--watch', interval]);

    expect(ran.code).toBe(2);
  });

  it('draws over what it drew on a terminal', async () => {
    const hub = await open(page(anAgent()), page(anAgent({ phase: 'stopped' })));

    const ran = await runCli(['agents', 'list', '--watch'], {
      env: { ...as(hub).env, NO_COLOR: '1' },
      isTTY: true,
      onPause: ctrlCAtPause(2),
    });

    const [before, first, second, ...more] = ran.out.split(EMPTY_SCREEN);
    expect([before, more]).toEqual(['', []]);
    expect(first).toMatch(/build-1 +running/);
    expect(second).toMatch(/build-1 +stopped/);
  });

  it.each([
    { isTTY: false, env: {} },
    { isTTY: true, env: { TERM: 'dumb' } },
  ])('goes on below what it printed elsewhere: %j', async (given) => {
    const hub = await open(page(anAgent()), page(anAgent({ phase: 'stopped' })));

    const ran = await runCli(['agents', 'list', '--watch'], {
      ...given,
      env: { ...given.env, ...as(hub).env },
      onPause: ctrlCAtPause(2),
    });

    expect(ran.out).not.toContain('\u001b');
    expect(ran.out.match(HEADING)).toHaveLength(2);
    expect(ran.out).toMatch(/running.*\n.*every 2s\n.*\n.*stopped/);
  });

  it('prints one document a line with --json, and nothing else', async () => {
    const hub = await open(page({ id: 'a' }), page({ id: 'b' }));

    const ran = await runCli(['replicas', 'list', '--watch', '--json'], {
      ...as(hub),
      onPause: ctrlCAtPause(2),
    });

    expect(documentsIn(ran.out)).toEqual([
      { items: [{ id: 'a' }], nextCursor: null },
      { items: [{ id: 'b' }], nextCursor: null },
    ]);
    expect(ran.err).toBe('');
  });

  it('ends as any command when the first look fails', async () => {
    const hub = await open(problem('forbidden'));

    const ran = await runCli(['agents', 'list', '--watch'], as(hub));

    expect(ran).toMatchObject({ code: 3, pauses: [] });
    expect(ran.err).toContain('code: forbidden');
  });

  it('shows a later failure and looks again', async () => {
    const hub = await open(page(anAgent()), problem('internal'), page(anAgent({ phase: 'stopped' })));

    const ran = await runCli(['agents', 'list', '--watch'], { ...as(hub), onPause: ctrlCAtPause(3) });

    expect(ran.code).toBe(0);
    expect(ran.err).toContain('code: internal');
    expect(ran.err).toContain('Trying again in 2s.');
    expect(ran.out).toContain('stopped');
  });

  it('keeps a later failure to its line with --json', async () => {
    const hub = await open(page(), problem('internal'), page());

    const ran = await runCli(['agents', 'list', '--watch', '--json'], {
      ...as(hub),
      onPause: ctrlCAtPause(3),
    });

    expect(documentsIn(ran.out)).toMatchObject([
      { items: [] },
      { error: { code: 'internal' } },
      { items: [] },
    ]);
  });

  it('lets go of a call that nobody answers', async () => {
    const hub = await open(page(), 'hangs');
    hub.onAsked = () => {
      if (hub.asked.length === 2) pressCtrlC();
    };

    const ran = await runCli(['agents', 'list', '--watch'], as(hub));

    expect(ran).toMatchObject({ code: 0, pauses: [2_000] });
  });

  it('leaves no handler behind', async () => {
    const hub = await open(page());

    await runCli(['agents', 'list', '--watch'], { ...as(hub), onPause: ctrlCAtPause(1) });

    await eventually(() => process.listenerCount('SIGINT') === HANDLERS);
  });

  it('asks for the id of an agent once', async () => {
    const hub = await open({ body: anAgent() }, page());

    await runCli(['dispatches', 'list', '--agent', 'web', '--watch'], {
      ...as(hub),
      onPause: ctrlCAtPause(2),
    });

    expect(hub.asked.map(({ path }) => path)).toEqual([
      '/api/v1/agents/web',
      `/api/v1/dispatches?agent=${anAgent().id}`,
      `/api/v1/dispatches?agent=${anAgent().id}`,
    ]);
  });
});
