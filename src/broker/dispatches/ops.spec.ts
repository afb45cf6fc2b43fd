import { describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { NO_RESTART, OPS, RESTARTS } from '../../protocol/op.js';
import type { ProcessRuntime } from '../runtime/runtime.js';
import { agentHandlers, brokerHandlers } from './ops.js';

const AGENT = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const RUN = '0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa';

const NO_LIMITS = {
  memoryMb: null,
  residentMb: null,
  processes: null,
  openFiles: null,
  cpuSeconds: null,
  wallSeconds: null,
  outputMb: null,
};

const spec = {
  command: 'sh',
  args: ['-c', 'true'],
  directory: null,
  environment: { A: 'b' },
  limits: { ...NO_LIMITS, openFiles: 64 },
  restart: { policy: 'on-failure', maxRestarts: 3 },
  stdin: 'messages',
};
const start = { agentId: AGENT, name: 'web', runId: RUN, spec };
const from = { kind: 'person', id: AGENT, name: 'ada' };
const message = { id: RUN, from, text: 'hello', sentAt: '2026-01-02T03:04:05.678Z' };

/** Stands in for the runtime and keeps what it was asked for. */
function scriptedRuntime() {
  const asked: unknown[] = [];
  const answer = (args: unknown) => {
    asked.push(args);
    return Promise.resolve({});
  };
  const verbs = { startRun: answer, stopRun: answer, restart: answer, delete: answer };
  const runtime = { ...verbs, logs: answer, message: answer, inspect: answer };
  return {
    asked,
    handlers: new Map([...brokerHandlers(), ...agentHandlers(runtime as unknown as ProcessRuntime)]),
  };
}

const context = () => ({
  mayBegin: () => true,
  stopping: new AbortController().signal,
  signal: new AbortController().signal,
  progress: () => undefined,
  traceparent: undefined,
});

async function ask(op: string, args: JsonObject) {
  const { asked, handlers } = scriptedRuntime();
  const handler = handlers.get(op);
  if (handler === undefined) throw new Error(`no handler of ${op}`);
  await handler.handle(args, context());
  return asked[0];
}

describe('the ops of a broker', () => {
  it('are all that the protocol knows', () => {
    expect([...scriptedRuntime().handlers.keys()].sort()).toEqual(Object.keys(OPS).sort());
  });

  it('take exactly the fields they know', async () => {
    expect(await ask('agent.start', { ...start, extra: 1, spec: { ...spec, later: true } })).toEqual(start);
    expect(await ask('agent.logs', { agentId: AGENT, lines: 5 })).toEqual({ agentId: AGENT, lines: 5 });
    expect(await ask('agent.delete', { agentId: AGENT, graceMs: 0 })).toEqual({
      agentId: AGENT,
      runId: null,
      graceMs: 0,
    });
  });

  it('take a limit that is not given for none', async () => {
    const asked = await ask('agent.start', { ...start, spec: { ...spec, limits: {} } });

    expect(asked).toMatchObject({ spec: { limits: NO_LIMITS } });
  });

  it('leave the input closed where nothing is said of it', async () => {
    const { stdin: _left, ...rest } = spec;

    expect(await ask('agent.start', { ...start, spec: rest })).toMatchObject({ spec: { stdin: 'closed' } });
  });

  it('take a message as it is', async () => {
    const args = { agentId: AGENT, message: { ...message, text: 'x'.repeat(LIMITS.messageTextBytes) } };

    expect(await ask('agent.message', args)).toEqual(args);
  });

  it('restart nothing where no policy is given', async () => {
    const asked = await ask('agent.start', { ...start, spec: { ...spec, restart: null } });

    expect(asked).toMatchObject({ spec: { restart: NO_RESTART } });
  });

  it('take as many restarts as the protocol allows', async () => {
    const restart = { policy: 'always', maxRestarts: RESTARTS.maxMost };

    expect(await ask('agent.start', { ...start, spec: { ...spec, restart } })).toMatchObject({
      spec: { restart },
    });
  });

  it.each<[string, string, JsonObject]>([
    ['an agent that is a path', 'agent.start', { ...start, agentId: '../../etc' }],
    ['a run that is a path', 'agent.stop', { agentId: AGENT, runId: '../x', graceMs: 1 }],
    ['no spec', 'agent.start', { agentId: AGENT, name: 'web', runId: RUN }],
    ['a command that is no text', 'agent.start', { ...start, spec: { ...spec, command: 7 } }],
    ['an argument that is no text', 'agent.start', { ...start, spec: { ...spec, args: [null] } }],
    [
      'too many arguments',
      'agent.start',
      { ...start, spec: { ...spec, args: Array<string>(1_025).fill('') } },
    ],
    [
      'a policy that is not known',
      'agent.start',
      { ...start, spec: { ...spec, restart: { policy: 'sometimes', maxRestarts: 1 } } },
    ],
    [
      'a policy that restarts nothing',
      'agent.restart',
      {
        ...start,
        fromRunId: null,
        graceMs: 0,
        spec: { ...spec, restart: { policy: 'always', maxRestarts: 0 } },
      },
    ],
    [
      'one more restart than allowed',
      'agent.start',
      { ...start, spec: { ...spec, restart: { policy: 'always', maxRestarts: RESTARTS.maxMost + 1 } } },
    ],
    ['a limit of nothing', 'agent.start', { ...start, spec: { ...spec, limits: { openFiles: 0 } } }],
    [
      'a limit that is no number',
      'agent.start',
      { ...start, spec: { ...spec, limits: { openFiles: '1; reboot' } } },
    ],
    ['a grace before now', 'agent.stop', { agentId: AGENT, runId: RUN, graceMs: -1 }],
    ['a grace of days', 'agent.restart', { ...start, fromRunId: null, graceMs: 86_400_000 }],
    ['no run to stop', 'agent.stop', { agentId: AGENT, graceMs: 1 }],
    ['no agent to look at', 'agent.inspect', { agentId: '../agent' }],
    ['no lines', 'agent.logs', { agentId: AGENT, lines: 0 }],
    ['half a line', 'agent.logs', { agentId: AGENT, lines: 1.5 }],
    [
      'a text of more than 64 KiB',
      'agent.message',
      { agentId: AGENT, message: { ...message, text: 'x'.repeat(LIMITS.messageTextBytes + 1) } },
    ],
    [
      'a message whose id is a path',
      'agent.message',
      { agentId: AGENT, message: { ...message, id: '../../spec' } },
    ],
    ['an input of another kind', 'agent.start', { ...start, spec: { ...spec, stdin: 'tty' } }],
  ])('refuse %s as args_invalid', async (_what, op, args) => {
    await expect(ask(op, args)).rejects.toMatchObject({
      name: 'OpFailure',
      code: 'args_invalid',
      retryable: false,
    });
  });

  it.each<[string, JsonObject]>([
    ['environment', { ...spec, environment: { TOKEN: 'secret\0' } }],
    ['name of the environment', { ...spec, environment: { 'secret\0': '' } }],
    ['command', { ...spec, command: 'secret\0' }],
    ['argument', { ...spec, args: ['secret\0'] }],
  ])('refuse a NUL in the %s, and do not repeat what was around it', async (_where, bad) => {
    const failure = await ask('agent.start', { ...start, spec: bad }).catch((error: unknown) => error);

    expect(failure).toMatchObject({ code: 'args_invalid' });
    expect((failure as Error).message).not.toContain('secret');
  });

  it('answer a ping with the time', async () => {
    const { handlers } = scriptedRuntime();

    const body = await handlers.get('broker.ping')?.handle({}, context());

    expect(Date.parse((body as { time: string }).time)).toBeGreaterThan(0);
  });
});
