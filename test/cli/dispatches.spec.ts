import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { CONTRACTS } from '../../src/hub/dispatch/state.js';
import { expectNoLeaks } from '../support/leaks.js';
import { aDispatch, ago, AGENT_ID, aWhy, DISPATCH_ID } from './support/answers.js';
import { runCli, TOKEN } from './support/run-cli.js';
import { problem, ScriptedHub, type Answer } from './support/scripted-hub.js';

const OTHER_ID = '0198f1a2-7c44-7e11-9d5e-dddddddddddd';

let hub: ScriptedHub | undefined;

async function ask(argv: string[], ...answers: Answer[]) {
  await hub?.close();
  hub = await ScriptedHub.open(...answers);
  return runCli(argv, { env: { FAIRLEAD_URL: hub.url, FAIRLEAD_TOKEN: TOKEN } });
}

const asked = () => (hub?.asked ?? []).map(({ method, path, body }) => ({ method, path, body }));

afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

afterAll(() => expectNoLeaks());

describe('fairlead dispatches create', () => {
  it('asks the broker for the op and leaves the rest to the hub', async () => {
    const ran = await ask(['dispatches', 'create', 'build-1', 'broker.ping'], {
      body: aDispatch({ op: 'broker.ping', result: { time: 'now' } }),
    });

    expect(ran.code).toBe(0);
    expect(asked()).toEqual([
      { method: 'POST', path: '/api/v1/brokers/build-1/dispatches', body: { op: 'broker.ping' } },
    ]);
    expect(hub?.asked[0]?.headers.prefer).toBe('wait=30');
    expect(ran.out).toMatch(/^result +\{"time":"now"\}$/m);
  });

  it('sends every wish of its options', async () => {
    const options = [
      ['--args', '{"lines":20}'],
      ['--key', 'a key'],
      ['--lane', 'bulk'],
      ['--deadline', '1h30m'],
      ['--not-before', '2026-08-01T12:00:00+02:00'],
      ['--contract', 'latest_only'],
      ['--idempotency-key', 'nightly-1'],
    ].flat();

    await ask(['dispatches', 'create', 'build-1', 'broker.ping', ...options, '--no-wait'], {
      status: 202,
      body: aDispatch({ state: 'pending' }),
    });

    expect(asked()[0]?.body).toEqual({
      op: 'broker.ping',
      args: { lines: 20 },
      orderingKey: 'a key',
      lane: 'bulk',
      deadlineS: 5_400,
      notBefore: '2026-08-01T10:00:00.000Z',
      contract: 'latest_only',
    });
    expect(hub?.asked[0]?.headers).toMatchObject({ 'idempotency-key': 'nightly-1' });
    expect(hub?.asked[0]?.headers.prefer).toBeUndefined();
  });

  it('names no order with --no-key', async () => {
    await ask(['dispatches', 'create', 'build-1', 'broker.ping', '--no-key'], { body: aDispatch() });

    expect(asked()[0]?.body).toEqual({ op: 'broker.ping', orderingKey: null });
  });

  it('keeps the key that it was given through a repeat', async () => {
    const argv = ['dispatches', 'create', 'build-1', 'broker.ping', '--idempotency-key', 'nightly-1'];

    const ran = await ask(argv, 'dies', { body: aDispatch() });

    expect(ran.code).toBe(0);
    expect(hub?.asked.map(({ headers }) => headers['idempotency-key'])).toEqual(['nightly-1', 'nightly-1']);
  });

  it('knows each contract, and each lane that a caller may choose', async () => {
    const { out } = await runCli(['dispatches', 'create', '--help']);

    const choices = CONTRACTS.map((contract) => `"${contract}"`).join(', ');
    expect(out.replace(/\s+/g, ' ')).toContain(`choices: ${choices}`);
    expect(out.replace(/\s+/g, ' ')).toContain('choices: "normal", "bulk"');
  });

  it.each([
    [['--args', '[1]'], 'It must be a JSON object'],
    [['--lane', 'control'], 'Allowed choices are normal, bulk'],
    [['--contract', 'perhaps'], 'Allowed choices are until'],
    [['--deadline', 'soon'], 'It must be a duration'],
    [['--not-before', 'soon'], 'in how long such as 10m'],
  ])('asks nobody where an option cannot be meant: %j', async (options, complaint) => {
    const ran = await ask(['dispatches', 'create', 'build-1', 'broker.ping', ...options], {});

    expect(ran.code).toBe(2);
    expect(ran.err).toContain(complaint);
    expect(asked()).toEqual([]);
  });

  it('ends with 6 where it has not ended, and with 0 where nobody wanted to wait', async () => {
    const answer = { status: 202, body: aDispatch({ state: 'pending' }) };
    const argv = ['dispatches', 'create', 'build-1', 'broker.ping'];

    const waited = await ask([...argv, '--wait', '2'], answer);
    const accepted = await ask([...argv, '--no-wait'], answer);

    expect([waited.code, accepted.code]).toEqual([6, 0]);
    expect(waited.err).toContain(`fairlead dispatches get ${DISPATCH_ID} --wait 60`);
  });

  it('ends with 5 where a command that is for now meets a broker that is away', async () => {
    const argv = ['dispatches', 'create', 'build-1', 'broker.ping', '--contract', 'now_or_fail'];

    const ran = await ask(argv, problem('broker_offline'));

    expect(ran.code).toBe(5);
    expect(ran.err).toContain('code: broker_offline');
  });
});

describe('fairlead dispatches cancel', () => {
  const cancel = (outcome: 'cancelling' | 'stopped' | 'too_late') => ({ requestedAt: ago(1), outcome });

  it('says that the broker is being asked, and is content with that', async () => {
    const body = aDispatch({ state: 'running', cancel: cancel('cancelling') });

    const ran = await ask(['dispatches', 'cancel', DISPATCH_ID], { status: 202, body });

    expect(ran.code).toBe(0);
    expect(asked()).toEqual([
      { method: 'POST', path: `/api/v1/dispatches/${DISPATCH_ID}/cancel`, body: undefined },
    ]);
    expect(hub?.asked[0]?.headers.prefer).toBeUndefined();
    expect(ran.out).toMatch(/^cancel +cancelling$/m);
  });

  it.each([
    ['stopped', 'cancelled'],
    ['too_late', 'succeeded'],
  ] as const)('with --wait waits for the word of the broker: %s', async (outcome, state) => {
    const ran = await ask(
      ['dispatches', 'cancel', DISPATCH_ID, '--wait', '90'],
      { status: 202, body: aDispatch({ state: 'running', cancel: cancel('cancelling') }) },
      { body: aDispatch({ state, cancel: cancel(outcome) }) },
    );

    expect(ran.code).toBe(0);
    expect(asked().map(({ method, path }) => `${method} ${path}`)).toEqual([
      `POST /api/v1/dispatches/${DISPATCH_ID}/cancel`,
      `GET /api/v1/dispatches/${DISPATCH_ID}`,
    ]);
    expect(ran.out).toMatch(new RegExp(`^cancel +${outcome}$`, 'm'));
  });

  it('ends with 6 where the broker did not answer within --wait', async () => {
    const body = aDispatch({ state: 'running', cancel: cancel('cancelling') });

    const ran = await ask(['dispatches', 'cancel', DISPATCH_ID, '--wait', '2', '--json'], {
      status: 202,
      body,
    });

    expect(ran.code).toBe(6);
    expect(ran.json()).toMatchObject({ dispatch: { cancel: { outcome: 'cancelling' } } });
  });

  it('ends with 4 where there is no such dispatch', async () => {
    const ran = await ask(['dispatches', 'cancel', 'no-id'], problem('not_found'));

    expect(ran.code).toBe(4);
  });
});

describe('fairlead dispatches redrive', () => {
  it('does one again, and shows what does it', async () => {
    const body = aDispatch({ id: OTHER_ID, state: 'pending', redriveOf: DISPATCH_ID });

    const ran = await ask(['dispatches', 'redrive', DISPATCH_ID], { status: 202, body });

    expect(ran.code).toBe(0);
    expect(asked()).toEqual([
      { method: 'POST', path: `/api/v1/dispatches/${DISPATCH_ID}/redrive`, body: undefined },
    ]);
    expect(ran.out).toMatch(new RegExp(`^id +${OTHER_ID}$`, 'm'));
    expect(ran.out).toMatch(new RegExp(`^does again +${DISPATCH_ID}$`, 'm'));
  });

  it('does all again that fit a filter, and names each, and how to go on', async () => {
    const filter = ['--state', 'dead', '--broker', 'build-1', '--op', 'broker.ping', '--limit', '2'];
    const redriven = [{ from: DISPATCH_ID, to: OTHER_ID }];
    const refused = [{ id: AGENT_ID, code: 'not_redrivable', detail: 'Ask the agent.' }];

    const ran = await ask(['dispatches', 'redrive', ...filter, '--before', OTHER_ID], {
      body: { redriven, refused, next: AGENT_ID },
    });

    expect(ran.code).toBe(0);
    expect(asked()).toEqual([
      {
        method: 'POST',
        path: '/api/v1/dispatches/redrive',
        body: { state: 'dead', broker: 'build-1', op: 'broker.ping', limit: 2, before: OTHER_ID },
      },
    ]);
    expect(ran.out.split('\n')).toEqual([
      `${DISPATCH_ID} again as ${OTHER_ID}`,
      `${AGENT_ID} not_redrivable: Ask the agent.`,
      `1 done again, 1 refused; more with --before ${AGENT_ID}`,
      '',
    ]);
  });

  it.each([
    ['of one', [DISPATCH_ID], aDispatch()],
    ['by a filter', ['--state', 'dead'], { redriven: [], refused: [], next: null }],
  ])(
    '%s is asked for again under the same key where nobody knows what came of it',
    async (_case, argv, body) => {
      const ran = await ask(['dispatches', 'redrive', ...argv], 'dies', problem('outcome_unknown'), { body });

      expect(ran.code).toBe(0);
      const keys = hub?.asked.map(({ headers }) => headers['idempotency-key']);
      expect(keys).toEqual(Array(3).fill(expect.stringMatching(/^[0-9a-f-]{36}$/)));
      expect(new Set(keys).size).toBe(1);
    },
  );

  it('prints the answer of the hub with --json', async () => {
    const body = { redriven: [], refused: [], next: null };

    const ran = await ask(['dispatches', 'redrive', '--state', 'failed', '--json'], { body });

    expect(ran.json()).toEqual(body);
  });

  it.each([
    ['neither an id nor a state', []],
    ['both', [DISPATCH_ID, '--state', 'dead']],
    ['an id and another filter', [DISPATCH_ID, '--broker', 'build-1']],
    ['a filter without a state', ['--op', 'broker.ping']],
  ])('asks nobody where it is given %s', async (_case, argv) => {
    const ran = await ask(['dispatches', 'redrive', ...argv], {});

    expect(ran.code).toBe(2);
    expect(ran.err).toContain('either the id of a dispatch, or --state');
    expect(asked()).toEqual([]);
  });

  it('ends with 5 where it has not ended', async () => {
    const ran = await ask(['dispatches', 'redrive', DISPATCH_ID], problem('not_redrivable'));

    expect(ran.code).toBe(5);
  });
});

describe('fairlead dispatches list', () => {
  it('asks for those of one op', async () => {
    const ran = await ask(['dispatches', 'list', '--op', 'broker.ping', '--state', 'dead'], {
      body: { items: [aDispatch({ op: 'broker.ping', state: 'dead' }).dispatch], nextCursor: null },
    });

    expect(ran.code).toBe(0);
    expect(asked()[0]?.path).toBe('/api/v1/dispatches?state=dead&op=broker.ping');
    expect(ran.out).toContain('broker.ping');
  });
});

describe('fairlead why', () => {
  it('tells cause, remedy, holder and place first, then each fact with its age', async () => {
    const ran = await ask(['why', DISPATCH_ID], { body: aWhy() });

    expect(ran.code).toBe(0);
    expect(asked()[0]).toMatchObject({ method: 'GET', path: `/api/v1/dispatches/${DISPATCH_ID}/why` });
    expect(ran.out.split('\n')).toEqual([
      'state             pending',
      'cause             held_by_order',
      'because           An earlier command comes first.',
      'unblocked by      That one ends.',
      'held by           hub-0, epoch 7',
      'before it         3',
      'deadline          in 10m',
      'attempt           0',
      'blocking command  running, 3m ago',
      '',
    ]);
  });

  it('says where no replica holds the broker', async () => {
    const ran = await ask(['why', DISPATCH_ID], { body: aWhy({ cause: 'broker_offline', holder: null }) });

    expect(ran.out).toMatch(/^held by +no replica$/m);
  });

  it('makes control sequences of others visible instead of obeying them', async () => {
    const ran = await ask(['why', DISPATCH_ID], { body: aWhy({ explanation: 'a\u001b[2Jb' }) });

    expect(ran.out).toContain('a\\x1b[2Jb');
  });

  it('is the answer of the hub alone with --json', async () => {
    const why = aWhy();

    const ran = await ask(['why', DISPATCH_ID, '--json'], { body: why });

    expect(ran.json()).toEqual(why);
    expect(ran.err).toBe('');
  });

  it('ends with 4 where there is no such dispatch', async () => {
    const ran = await ask(['why', DISPATCH_ID], problem('not_found'));

    expect(ran.code).toBe(4);
  });
});
