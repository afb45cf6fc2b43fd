import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { ctrlCAtPause } from './support/ctrl-c.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

let hub: ScriptedHub | undefined;

/** Follows for as many looks as there are answers. */
async function follow(options: string[], ...answers: Answer[]) {
  hub = await ScriptedHub.open(...answers);
  return runCli(['agents', 'logs', 'web', '--follow', ...options], {
    env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN },
    onPause: ctrlCAtPause(answers.length),
  });
}

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_each, at) => `line ${from + at}`);
const logs = (...given: string[]): Answer => ({ body: { lines: given, truncated: false } });

afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

afterAll(() => expectNoLeaks());

describe('agents logs --follow', () => {
  it('prints what comes after the last lines, each once, until Ctrl-C', async () => {
    const ran = await follow([], logs('a', 'b'), logs('a', 'b'), logs('a', 'b', 'c'));

    expect(ran).toMatchObject({ code: 0, out: 'a\nb\nc\n', err: '' });
    expect(ran.pauses).toEqual([2_000, 2_000, 2_000]);
  });

  it('begins with as many lines as it is told, and looks further back than that', async () => {
    const ran = await follow(['--lines', '2'], logs('a', 'b', 'c'), logs('a', 'b', 'c', 'd'));

    expect(ran.out).toBe('b\nc\nd\n');
    expect(hub?.asked[0]?.path).toBe('/api/v1/agents/web/logs?lines=1000');
  });

  it('finds its place in an output that is longer than a look', async () => {
    const ran = await follow(['--lines', '1'], logs(...lines(0, 1_000)), logs(...lines(3, 1_003)));

    expect(ran).toMatchObject({ out: 'line 999\nline 1000\nline 1001\nline 1002\n', err: '' });
  });

  it('says that lines are missing where more was written than a look holds', async () => {
    const ran = await follow(['--lines', '1'], logs(...lines(0, 1_000)), logs(...lines(5_000, 6_000)));

    expect(ran.out.split('\n').slice(0, 2)).toEqual(['line 999', 'line 5000']);
    expect(ran.err).toBe('More was written than was seen: lines are missing here.\n');
  });

  it('says that the output begins anew when the agent was started again', async () => {
    const ran = await follow([], logs('a', 'done'), logs('a'));

    expect(ran).toMatchObject({ out: 'a\ndone\na\n', err: 'The output begins anew.\n' });
  });

  it('prints one document a line with --json, and none where nothing is new', async () => {
    const ran = await follow(['--json'], logs('a'), logs('a'), logs('a', 'b'));

    expect(ran.out.split('\n')).toEqual([
      '{"seam":"anew","lines":["a"]}',
      '{"seam":"follows","lines":["b"]}',
      '',
    ]);
  });

  it('outlives a broker that is silent for a while', async () => {
    const ran = await follow([], logs('a'), problem('broker_silent'), logs('a', 'b'));

    expect(ran).toMatchObject({ code: 0, out: 'a\nb\n' });
    expect(ran.err).toContain('code: broker_silent');
  });

  it('ends as any command when the first look fails', async () => {
    const ran = await follow([], problem('broker_silent'));

    expect(ran).toMatchObject({ code: 7, pauses: [] });
  });

  it('ends with 4 when the agent is gone', async () => {
    const ran = await follow([], logs('a'), problem('not_found'));

    expect(ran).toMatchObject({ code: 4, pauses: [2_000] });
  });
});
