import { describe, expect, it } from '@jest/globals';
import * as program from '../../src/conformance/main.js';
import { PlayedHub } from '../../src/conformance/of-broker/played-hub.js';
import type { Verdict } from '../../src/conformance/rule.js';
import { PACE } from '../../src/conformance/pace.js';
import type { Programs } from '../../src/cli/surroundings.js';
import { runCli } from './support/run-cli.js';

const held = { id: 'broker.ack', says: 'It acks.', where: 'ack', verdict: 'held' } as const;
const broken = {
  id: 'broker.repeat',
  says: 'It answers.',
  where: 'Rules',
  verdict: 'broken',
  expected: 'one thing',
  seen: 'another',
} as const;
const skipped = {
  id: 'broker.order',
  says: 'It keeps.',
  where: 'dispatch',
  verdict: 'skipped',
  why: 'so',
} as const;

/** The tool, whose verdicts are told. */
function finding(verdicts: Verdict[], asked: Partial<program.BrokerOptions>[] = []) {
  const tryBroker = (options: program.BrokerOptions) => {
    asked.push(options);
    for (const verdict of verdicts) options.onVerdict(verdict);
    return Promise.resolve(verdicts);
  };
  const tool = { ...program, tryBroker };
  return { programs: { conformance: () => Promise.resolve(tool) } as Partial<Programs> };
}

describe('fairlead conformance', () => {
  it.each([
    ['nothing broken', [held, skipped], 0],
    ['something broken', [held, broken], 1],
    ['nothing that could be tried', [skipped], 1],
  ])('ends with a code that tells %s', async (_what, verdicts, code) => {
    const ran = await runCli(['conformance', '--run', 'x'], finding(verdicts));

    expect(ran.code).toBe(code);
  });

  it('tells of each rule, and of a broken one what was expected and seen', async () => {
    const ran = await runCli(['conformance', '--run', 'x'], finding([held, broken, skipped]));

    expect(ran.out).toContain('held     broker.ack: It acks.');
    expect(ran.out).toMatch(
      /broken +broker\.repeat: It answers\.\n +expected one thing\n +seen +another\n +see +Rules/,
    );
    expect(ran.out).toContain('1 held, 1 broken, 1 skipped.');
  });

  it('gives programs one document', async () => {
    const ran = await runCli(['conformance', '--run', 'x', '--json'], finding([held, broken]));

    expect(ran.json()).toEqual({ held: 1, broken: 1, skipped: 0, rules: [held, broken] });
  });

  it('takes what it is told', async () => {
    const asked: Partial<program.BrokerOptions>[] = [];
    const words = ['--listen', '[::1]:9000', '--slow', 'x.a.b', '--slow-args', '{"ms":9}', '--quick'];

    await runCli(['conformance', ...words, '--only', 'broker.ack', 'broker.repeat'], finding([held], asked));

    expect(asked).toMatchObject([
      {
        listen: { host: '::1', port: 9_000 },
        slow: { op: 'x.a.b', args: { ms: 9 } },
        only: ['broker.ack', 'broker.repeat'],
        isQuick: true,
      },
    ]);
  });

  it('tries a hub where one is named, with what the environment has', async () => {
    const asked: program.HubOptions[] = [];
    const tryHub = (options: program.HubOptions) => {
      asked.push(options);
      return Promise.resolve([held]);
    };
    const tool = { ...program, tryHub } as typeof program;
    const env = { FAIRLEAD_JOIN_TOKEN: 'flj_seat', FAIRLEAD_TOKEN: 'flp_who' };

    const ran = await runCli(['conformance', '--url', 'http://hub/'], {
      env,
      programs: { conformance: () => Promise.resolve(tool) },
    });

    expect([ran.code, asked]).toMatchObject([
      0,
      [{ url: 'http://hub', joinToken: 'flj_seat', apiToken: 'flp_who', isQuick: false }],
    ]);
  });

  it.each([
    ['a hub without a join token', ['--url', 'http://hub'], 2],
    ['two hubs', ['--url', 'http://a,http://b', '--token', 'flj_seat'], 2],
    ['a hub that does not answer', ['--url', 'http://127.0.0.1:9', '--token', 'flj_seat'], 7],
  ])('tells of %s', async (_what, words, code) => {
    const ran = await runCli(['conformance', ...words], {
      programs: { conformance: () => Promise.resolve(program) },
    });

    expect(ran.code).toBe(code);
  });

  it('lists the rules', async () => {
    const ran = await runCli(['conformance', '--list', '--json'], finding([]));

    expect((ran.json() as { rules: unknown[] }).rules).toEqual(program.allRules());
  });

  it.each([
    ['an address without a port', ['--listen', 'localhost']],
    ['a port that is none', ['--listen', 'localhost:65536']],
    ['arguments without an op', ['--slow-args', '{}']],
    ['arguments that are no object', ['--slow', 'x.a', '--slow-args', '[]']],
    ['a rule that there is not', ['--only', 'broker.unheard-of', '--run', 'true']],
  ])('refuses %s', async (_what, words) => {
    const ran = await runCli(['conformance', ...words], {
      programs: { conformance: () => Promise.resolve(program) },
    });

    expect(ran.code).toBe(2);
  });
});

describe('the hub that is played', () => {
  it('is no place to join without its token', async () => {
    const hub = await PlayedHub.listen({ host: '127.0.0.1', port: 0 }, PACE);
    try {
      const body = JSON.stringify({ token: 'another' });
      const answer = await fetch(`${hub.url}/api/v1/brokers/join`, { method: 'POST', body });

      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        401,
        'join_token_invalid',
      ]);
    } finally {
      await hub.close();
    }
  });
});
