import { describe, expect, it } from '@jest/globals';
import type { BrokerFrame } from '../../protocol/frame.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import { reportOf } from './report.js';
import type { Restart, RunExit, RunState } from './run-folder.js';

const AGENT = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const RUN = '0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa';
const child = { pid: 7, startTime: 'then' };

const of = (state: RunState) => reportOf(AGENT, RUN, state);
const exitOf = (exit: Partial<RunExit>): RunExit => ({
  reason: 'exited',
  exitCode: 0,
  signal: null,
  detail: null,
  at: '',
  ...exit,
});
const ended = (exit: Partial<RunExit>, restart?: Restart): RunState => ({
  kind: 'ended',
  exit: exitOf(exit),
  restart,
});
const running = (given: Partial<Extract<RunState, { kind: 'running' }>> = {}): RunState => ({
  kind: 'running',
  child,
  isSupervised: true,
  isStopping: false,
  restart: undefined,
  ...given,
});
const second: Restart = { count: 2, dueAt: '2030-01-01T00:00:00.000Z', exit: exitOf({ exitCode: 3 }) };

describe('what the hub is told of a run', () => {
  it.each<[string, RunState, object]>([
    ['that waits for its shim', { kind: 'unclaimed' }, { phase: 'starting' }],
    ['that starts', { kind: 'starting' }, { phase: 'starting' }],
    ['that runs', running(), { phase: 'running', restarts: 0, exitCode: null, detail: null }],
    ['that runs on without its shim', running({ isSupervised: false }), { phase: 'running' }],
    ['that is to stop', running({ isStopping: true }), { phase: 'stopping' }],
    [
      'that was started again, or is about to be',
      running({ restart: second }),
      {
        phase: 'running',
        restarts: 2,
        exitCode: 3,
        detail: 'Restart 2, at 2030-01-01T00:00:00.000Z: It ended with exit code 3.',
      },
    ],
    [
      'that is to stop after restarts',
      running({ isStopping: true, restart: second }),
      { phase: 'stopping', restarts: 2 },
    ],
    [
      'that nobody saw ending',
      { kind: 'vanished', wasToStop: false, restart: undefined },
      { phase: 'failed', exitCode: null },
    ],
    [
      'that nobody saw ending after it was asked to stop',
      { kind: 'vanished', wasToStop: true, restart: second },
      { phase: 'stopped', exitCode: null, restarts: 2, detail: expect.stringContaining('not known') },
    ],
    [
      'that ended well after restarts',
      ended({}, second),
      { phase: 'stopped', exitCode: 0, detail: null, restarts: 2 },
    ],
    [
      'that was restarted too often, although it ended well',
      ended({ reason: 'gave_up', detail: 'too often' }, second),
      { phase: 'failed', exitCode: 0, detail: 'too often', restarts: 2 },
    ],
    ['that ended well', ended({}), { phase: 'stopped', exitCode: 0, detail: null }],
    [
      'that ended badly',
      ended({ exitCode: 3 }),
      { phase: 'failed', exitCode: 3, detail: 'It ended with exit code 3.' },
    ],
    [
      'that was killed by somebody',
      ended({ exitCode: null, signal: 'SIGKILL' }),
      { phase: 'failed', exitCode: null, detail: 'It was ended by SIGKILL.' },
    ],
    [
      'that was stopped, whatever its exit code',
      ended({ reason: 'stopped', exitCode: 143 }),
      { phase: 'stopped', exitCode: 143, detail: null },
    ],
    [
      'that was stopped by force',
      ended({ reason: 'stopped', exitCode: null, signal: 'SIGKILL' }),
      { phase: 'stopped', exitCode: null },
    ],
    [
      'that came to a limit of its own',
      ended({ reason: 'limit_exceeded', detail: 'the limit' }),
      { phase: 'failed', detail: 'the limit' },
    ],
    [
      'that could not start',
      ended({ reason: 'start_failed', exitCode: null, detail: 'no program' }),
      { phase: 'failed', exitCode: null, detail: 'no program' },
    ],
  ])('%s', (_name, state, expected) => {
    expect(of(state)).toMatchObject({ agentId: AGENT, runId: RUN, ...expected });
  });

  it('is never longer than the hub takes, which would cut every link anew', () => {
    const long = exitOf({ reason: 'start_failed', detail: 'x'.repeat(10_000) });
    const agents = [of(ended(long)), of(running({ restart: { ...second, exit: long } }))];
    const frame: BrokerFrame = { t: 'event', agents };

    expect(parseBrokerFrame(JSON.stringify(frame))).toEqual(frame);
  });
});
