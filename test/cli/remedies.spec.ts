import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PROBLEMS, type ProblemCode } from '../../src/hub/problems/code.js';
import { makeHome, runCli, TOKEN } from './support/run-cli.js';
import { deadUrl, problem, ScriptedHub } from './support/scripted-hub.js';

let home: ReturnType<typeof makeHome>;

beforeEach(() => {
  home = makeHome();
});

afterEach(() => home.remove());

const brokerThat = (fault: object) => ({
  programs: {
    broker: () =>
      Promise.resolve({
        joinBroker: () => Promise.reject(Object.assign(new Error('it went wrong'), fault)),
        runBroker: () => Promise.reject(Object.assign(new Error('it went wrong'), fault)),
        rotateBrokerKey: () => Promise.reject(Object.assign(new Error('it went wrong'), fault)),
        loadBrokers: () => Promise.reject(Object.assign(new Error('it went wrong'), fault)),
        startCanaries: () => Promise.reject(Object.assign(new Error('it went wrong'), fault)),
      }),
  },
});

function expectTold(err: string, code: string): void {
  expect(err).toMatch(/^error: .+: .+$/m);
  expect(err).toMatch(new RegExp(`^ {2}code: ${code}$`, 'm'));
  expect(err).toMatch(/^ {2}remedy: .{10,}$/m);
}

describe('a failure has a code, a cause and a remedy', () => {
  it.each(Object.keys(PROBLEMS) as ProblemCode[])('when the hub says %s', async (code) => {
    const hub = await ScriptedHub.open(problem(code, { detail: 'What went wrong.' }));

    const ran = await runCli(['agents', 'get', 'web'], {
      env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN },
    });

    await hub.close();
    expectTold(ran.err, code);
  });

  it('when something else than the hub says no', async () => {
    const hub = await ScriptedHub.open({ status: 418, body: '<html>' });

    const ran = await runCli(['whoami'], { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });

    await hub.close();
    expect(ran.err).toContain('code: http_418\n  remedy: See what answers at --url');
  });

  it('when nobody answers', async () => {
    const ran = await runCli(['whoami'], { env: { FAIRLEAD_URL: await deadUrl(), FAIRLEAD_TOKEN: TOKEN } });

    expectTold(ran.err, 'hub_unreachable');
  });

  it('when nobody is logged in', async () => {
    expectTold((await runCli(['whoami'])).err, 'not_logged_in');
  });

  it('when the command line cannot be meant', async () => {
    expectTold((await runCli(['broker', 'join', 'http://a'])).err, 'usage');
  });

  it('when the stored credential is damaged, or is not a file', async () => {
    const path = join(home.path, 'credentials.json');
    writeFileSync(path, 'damaged');
    const damaged = await runCli(['whoami'], { env: { FAIRLEAD_HOME: home.path } });
    const folder = join(home.path, 'other');
    mkdirSync(join(folder, 'credentials.json'), { recursive: true });
    const unreadable = await runCli(['whoami'], { env: { FAIRLEAD_HOME: folder } });

    expectTold(damaged.err, 'configuration');
    expectTold(unreadable.err, 'configuration');
  });

  it('when the file of a token cannot be read', async () => {
    const ran = await runCli(['login', 'http://127.0.0.1', '--token-file', join(home.path, 'none')]);

    expectTold(ran.err, 'configuration');
  });

  it.each([
    ['hub_unreachable', 7],
    ['hub_url_invalid', 2],
    ['broker_already_joined', 5],
    ['broker_home_in_use', 5],
    ['broker_not_joined', 3],
    ['broker_home_unreadable', 78],
    ['broker_displaced', 1],
    ['broker_rotation_under_way', 5],
    ['broker_key_unconfirmed', 7],
  ])('when the broker says %s', async (code, exitCode) => {
    const ran = await runCli(['broker', 'start'], brokerThat({ code }));

    expect(ran.code).toBe(exitCode);
    expectTold(ran.err, code);
  });

  it.each(['credential_invalid', 'broker_key_waits', 'broker_key_used', 'not_found'])(
    'when the hub refuses another key for %s',
    async (code) => {
      const ran = await runCli(['broker', 'rotate-key'], brokerThat({ code, status: 409 }));

      expect(ran.code).toBe(5);
      expectTold(ran.err, code);
    },
  );

  it.each(['join_token_invalid', 'broker_name_taken', 'broker_revoked', 'something_new'])(
    'when the hub refuses a broker for %s',
    async (code) => {
      const words = ['broker', 'join', 'http://a', '--token', 'flj_token'];

      const ran = await runCli(words, brokerThat({ code, status: 409 }));

      expect(ran.code).toBe(5);
      expectTold(ran.err, code);
    },
  );

  it('when it is nobody’s', async () => {
    const ran = await runCli(['broker', 'start'], brokerThat({}));

    expectTold(ran.err, 'unexpected');
  });
});
