import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { expectNoLeaks } from '../support/leaks.js';
import { ctrlCAtPause } from './support/ctrl-c.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

let hub: ScriptedHub | undefined;

/** Follows for as many looks as there are answers. */
const follow = (options: string[], ...answers: Answer[]) => followFor(answers.length, options, ...answers);

async function followFor(looks: number, options: string[], ...answers: Answer[]) {
  hub = await ScriptedHub.open(...answers);
  return runCli(['agents', 'logs', 'web', '--follow', ...options], {
    env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN },
    onPause: ctrlCAtPause(looks),
  });
}

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_each, at) => `line ${from + at}`);
const xs = (count: number): string[] => Array.from({ length: count }, () => 'x');
/** How many lines each look asked for. */
const asked = () =>
  hub?.asked.map(({ path }) => Number(new URL(path, 'http://hub').searchParams.get('lines')));
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
    expect(asked()).toEqual([1_000, 50]);
  });

  it('finds its place in an output that is longer than a look', async () => {
    const ran = await follow(['--lines', '1'], logs(...lines(0, 1_000)), logs(...lines(953, 1_003)));

    expect(ran).toMatchObject({ out: 'line 999\nline 1000\nline 1001\nline 1002\n', err: '' });
  });

  it('asks for few lines where few are written', async () => {
    const output = lines(0, 700);
    const look = (written: number) => logs(...output.slice(Math.max(0, written - 50), written));

    const ran = await follow(
      ['--lines', '2'],
      logs(...output.slice(0, 600)),
      look(600),
      look(610),
      look(630),
    );

    expect(ran.out.trimEnd().split('\n')).toEqual(output.slice(598, 630));
    expect(asked()).toEqual([1_000, 50, 50, 50]);
  });

  it.each([
    ['a burst', [...lines(0, 900)]],
    [
      'a burst that begins like what was there before',
      [...lines(0, 100), ...lines(99, 105), ...lines(200, 230)],
    ],
    ['lines that repeat themselves', [...lines(0, 50), ...xs(80)]],
  ])('looks further back for %s: none of it is lost, and none is printed twice', async (_what, output) => {
    const [begun, near, far] = [logs(...output.slice(0, 100)), logs(...output.slice(-50)), logs(...output)];

    const ran = await followFor(2, ['--lines', '1000'], begun, near, far);

    expect(ran.out.trimEnd().split('\n')).toEqual(output);
    expect(asked()).toEqual([1_000, 50, 1_000]);
  });

  it('says that lines are missing where more was written than a look holds', async () => {
    const ran = await followFor(
      2,
      ['--lines', '1'],
      logs(...lines(0, 1_000)),
      logs(...lines(5_950, 6_000)),
      logs(...lines(5_000, 6_000)),
    );

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
