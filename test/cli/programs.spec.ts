import { afterEach, describe, expect, it } from '@jest/globals';
import type { BrokerProgram, Programs } from '../../src/cli/surroundings.js';
import { eventually } from '../support/eventually.js';
import { runCli } from './support/run-cli.js';

type HubProgram = Awaited<ReturnType<Programs['hub']>>;

const HUB: HubProgram = {
  runHub: () => Promise.resolve(),
  checkHub: () => undefined,
  migrateHub: () => Promise.resolve([]),
  forgetOld: () => Promise.resolve({ days: [], commands: 0, isLeft: false }),
  drainLocal: () => Promise.resolve('drained' as const),
  examineHub: () => Promise.resolve({ checks: [], findings: [] }),
  copyHub: () => Promise.resolve({ tables: [], rows: 0, isResumed: false }),
};

const hubThat = (does: Partial<HubProgram>) => ({
  programs: { hub: () => Promise.resolve({ ...HUB, ...does }) },
});

class BrokenConfig extends Error {
  report(): string[] {
    return ['FAIRLEAD_LISTEN: must be host:port', 'DATABASE_URL: must be a postgres:// URL'];
  }
}

describe('fairlead hub', () => {
  it('starts the hub with the environment that the command was given', async () => {
    let told: NodeJS.ProcessEnv = {};
    const runHub = (env: NodeJS.ProcessEnv) => Promise.resolve(void (told = env));

    const ran = await runCli(['hub', 'start'], {
      env: { FAIRLEAD_LISTEN: '127.0.0.1:0' },
      ...hubThat({ runHub }),
    });

    expect(ran.code).toBe(0);
    expect(told.FAIRLEAD_LISTEN).toBe('127.0.0.1:0');
  });

  it.each([['start'], ['check'], ['migrate'], ['retention'], ['drain', '--local']])(
    'ends `hub %s` with 78 and every broken rule',
    async (...words) => {
      const broken = () => Promise.reject(new BrokenConfig('broken'));

      const ran = await runCli(
        ['hub', ...words],
        hubThat({
          runHub: broken,
          checkHub: () => {
            throw new BrokenConfig('broken');
          },
          migrateHub: broken,
          forgetOld: broken,
          drainLocal: broken,
        }),
      );

      expect(ran.code).toBe(78);
      expect(ran.err).toContain('FAIRLEAD_LISTEN: must be host:port');
      expect(ran.err).toContain('DATABASE_URL: must be a postgres:// URL');
    },
  );

  it('says of an environment that it would be taken, having read it and started nothing', async () => {
    let told: NodeJS.ProcessEnv = {};
    const checkHub = (env: NodeJS.ProcessEnv) => void (told = env);

    const ran = await runCli(['hub', 'check', '--json'], {
      env: { FAIRLEAD_LISTEN: '127.0.0.1:0' },
      ...hubThat({ checkHub }),
    });

    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.out)).toEqual({ accepted: true });
    expect(told.FAIRLEAD_LISTEN).toBe('127.0.0.1:0');
  });

  it('names the migrations that were run', async () => {
    const ran = await runCli(
      ['hub', 'migrate'],
      hubThat({ migrateHub: () => Promise.resolve(['AddAgent']) }),
    );

    expect(ran.out).toBe('ran AddAgent\n');
  });

  it.each([
    [{ days: [], commands: 0, isLeft: false }, 0, 'Nothing is older than the history is kept.\n'],
    [
      { days: ['2026-01-01'], commands: 3, isLeft: false },
      0,
      'forgot the commands of 2026-01-01\nforgot 3 that stood apart\n',
    ],
    [
      { days: [], commands: 0, isLeft: true },
      1,
      'Somebody holds the history: the rest is left for the next time.\n',
    ],
  ])('tells what retention forgot: %j', async (forgotten, code, out) => {
    const ran = await runCli(['hub', 'retention'], hubThat({ forgetOld: () => Promise.resolve(forgotten) }));

    expect(ran).toMatchObject({ code, out });
  });

  it.each([
    ['drained', 'Drained.'],
    ['not_running', 'No hub runs here; there is nothing to drain.'],
  ] as const)('ends a drain well when the hub is %s', async (ended, said) => {
    const drainLocal: HubProgram['drainLocal'] = (_env, { deadlineS, onProgress }) => {
      onProgress(`deadline ${deadlineS}`);
      return Promise.resolve(ended);
    };

    const ran = await runCli(['hub', 'drain', '--local', '--deadline', '9'], hubThat({ drainLocal }));

    expect(ran).toMatchObject({ code: 0, out: `${said}\n`, err: 'deadline 9\n' });
  });

  it('ends a drain that did not finish with 1', async () => {
    const drainLocal = () => Promise.reject(new Error('the hub did not finish the drain'));

    const ran = await runCli(['hub', 'drain', '--local'], hubThat({ drainLocal }));

    expect(ran.code).toBe(1);
    expect(ran.err).toContain('the hub did not finish the drain');
  });
});

describe('fairlead broker', () => {
  const joined = { brokerId: 'broker-1', name: 'build-1' };
  const asked: Parameters<BrokerProgram['joinBroker']>[0][] = [];
  const BROKER: BrokerProgram = {
    joinBroker: (options) => Promise.resolve(void asked.push(options)).then(() => joined),
    runBroker: () => Promise.resolve(),
    rotateBrokerKey: () => Promise.reject(new Error('nobody asked for another key')),
    loadBrokers: () => Promise.reject(new Error('nobody asked for a load')),
    startCanaries: () => Promise.reject(new Error('nobody asked for a drill')),
  };
  const brokerThat = (does: Partial<BrokerProgram> = {}) => ({
    programs: { broker: () => Promise.resolve({ ...BROKER, ...does }) },
  });

  afterEach(() => void asked.splice(0));

  it('rotates the key of the home that it was told', async () => {
    const homes: string[] = [];
    const rotateBrokerKey: BrokerProgram['rotateBrokerKey'] = ({ home }) => {
      homes.push(home);
      return Promise.resolve({ ...joined, key: 'new-key', formerKey: 'old-key' });
    };
    const words = ['broker', 'rotate-key', '--home', '/somewhere'];

    const told = await runCli(words, brokerThat({ rotateBrokerKey }));
    const { out } = await runCli([...words, '--json'], brokerThat({ rotateBrokerKey }));

    expect(told).toMatchObject({
      code: 0,
      out: 'build-1 has the key new-key; old-key is good for nothing any more.\n',
    });
    expect(JSON.parse(out)).toEqual({ ...joined, key: 'new-key', formerKey: 'old-key' });
    expect(homes).toEqual(['/somewhere', '/somewhere']);
  });

  it('joins with everything that it was told', async () => {
    const words = ['broker', 'join', 'http://a:1,http://b:1/', '--url', 'http://c:1', '--name', 'build-1'];
    const more = ['--label', 'zone=eu', '--label', 'gpu=', '--home', '/somewhere', '--token', 'flj_token'];

    const ran = await runCli([...words, ...more], brokerThat());

    expect(ran).toMatchObject({ code: 0, out: 'Joined as build-1 (broker-1).\n' });
    expect(asked).toEqual([
      {
        home: '/somewhere',
        urls: ['http://a:1', 'http://b:1', 'http://c:1'],
        token: 'flj_token',
        name: 'build-1',
        labels: { zone: 'eu', gpu: '' },
      },
    ]);
  });

  it('takes the join token and its home from the environment, and a name that the hub takes', async () => {
    const env = { FAIRLEAD_JOIN_TOKEN: 'flj_token', FAIRLEAD_BROKER_HOME: '/broker' };

    await runCli(['broker', 'join', 'http://a:1'], { env, ...brokerThat() });

    expect(asked[0]).toMatchObject({ token: 'flj_token', home: '/broker' });
    expect(asked[0]?.name ?? 'none').toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  });

  it('ends with 2 without a join token, and never takes a personal one for it', async () => {
    const ran = await runCli(['--token', 'flp_personal', 'broker', 'join', 'http://a:1'], {
      env: { FAIRLEAD_TOKEN: 'flp_personal' },
      ...brokerThat(),
    });

    expect(ran.code).toBe(2);
    expect(asked).toEqual([]);
  });

  it.each([
    [{ code: 'join_token_invalid', status: 401 }, 3],
    [{ code: 'broker_name_taken', status: 409 }, 5],
    [{ code: 'hub_unreachable' }, 7],
    [{ code: 'broker_already_joined' }, 5],
  ])('ends with its own exit code for %j: %i', async (fault, exitCode) => {
    const joinBroker = () => Promise.reject(Object.assign(new Error('it went wrong with flj_token'), fault));

    const ran = await runCli(
      ['broker', 'join', 'http://a:1', '--token', 'flj_token'],
      brokerThat({ joinBroker }),
    );

    expect(ran.code).toBe(exitCode);
    expect(ran.err).toContain(`code: ${fault.code}`);
    expect(ran.err).toContain('it went wrong with ***');
  });

  it('runs until it is asked to end, and leaves no handler behind', async () => {
    const before = process.listenerCount('SIGTERM');
    const runBroker: BrokerProgram['runBroker'] = async ({ signal, stopAgents }) => {
      expect(stopAgents).toBe(true);
      process.emit('SIGTERM');
      expect(signal.aborted).toBe(true);
      return Promise.resolve();
    };

    const ran = await runCli(['broker', 'start', '--stop-agents'], brokerThat({ runBroker }));

    expect(ran).toMatchObject({ code: 0, err: '' });
    await eventually(() => process.listenerCount('SIGTERM') === before);
  });
});

describe('fairlead load brokers', () => {
  it.each([
    ['--count', '0'],
    ['--count', '10001'],
    ['--seconds', '0'],
    ['--seconds', '2d'],
    ['--rate', '0'],
    ['--rate', 'fast'],
  ])('refuses %s %s, before anything is asked', async (option, value) => {
    const ran = await runCli(['load', 'brokers', option, value]);

    expect(ran.code).toBe(2);
    expect(ran.err).toContain(option);
  });
});

describe('fairlead drill', () => {
  it.each(['kill', 'cut', 'listen', 'database'])(
    'refuses %s without the command that does it, before anything is asked',
    async (act) => {
      const ran = await runCli(['drill', act]);

      expect(ran.code).toBe(2);
      expect(ran.err).toContain('act_missing');
      expect(ran.err).toContain(`fairlead drill ${act} --act`);
    },
  );

  it.each([
    ['roll', '--brokers', '0'],
    ['roll', '--brokers', '101'],
    ['roll', '--rate', '1001'],
    ['roll', '--settle', '2h'],
    ['roll', '--wait', '2h'],
    ['burn', '--act', 'true'],
  ])('refuses %s %s %s', async (...words) => {
    expect((await runCli(['drill', ...words])).code).toBe(2);
  });
});

describe('the command line', () => {
  it.each([['--help'], ['agents', '--help'], ['agents', 'create', '--help'], ['broker', 'join', '--help']])(
    'explains %s with examples',
    async (...words) => {
      const ran = await runCli(words);

      expect(ran.code).toBe(0);
      expect(ran.out).toContain('Usage: fairlead');
    },
  );

  it('documents the exit codes', async () => {
    const ran = await runCli(['--help']);

    expect(ran.out).toMatch(/^ {3}6 {2}accepted, and not ended/m);
    expect(ran.out).toMatch(/^ {2}78 {2}the configuration/m);
  });

  it.each([
    [[]],
    [['agents']],
    [['agnets', 'list']],
    [['agents', 'create', 'web', '--', 'sleep']],
    [['agents', 'start', 'web', '--wait', 'soon']],
    [['hub', 'drain']],
    [['join-tokens', 'create', '--expires', 'tomorrow']],
  ])('ends with 2 for %j', async (words) => {
    const ran = await runCli(words);

    expect(ran.code).toBe(2);
    expect(ran.err).not.toBe('');
  });
});
