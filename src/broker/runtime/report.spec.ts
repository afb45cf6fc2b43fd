import { describe, expect, it } from '@jest/globals';
import type { BrokerFrame } from '../../protocol/frame.js';
import { parseBrokerFrame } from '../../protocol/parse.js';
import { reportOf } from './report.js';
import type { RunExit, RunState } from './run-folder.js';

const AGENT = '0198f1a2-7c44-7e11-9d5e-2f6c1b0a9e33';
const RUN = '0198f1a2-7c44-7e11-9d5e-aaaaaaaaaaaa';
const child = { pid: 7, startTime: 'then' };

const of = (state: RunState) => reportOf(AGENT, RUN, state);
const ended = (exit: Partial<RunExit>): RunState => ({
  kind: 'ended',
  exit: { reason: 'exited', exitCode: 0, signal: null, detail: null, at: '', ...exit },
});

describe('what the hub is told of a run', () => {
  it.each<[string, RunState, object]>([
    ['that waits for its shim', { kind: 'unclaimed' }, { phase: 'starting' }],
    ['that starts', { kind: 'starting' }, { phase: 'starting' }],
    ['that runs', { kind: 'running', child, isSupervised: true, isStopping: false }, { phase: 'running' }],
    [
      'that runs on without its shim',
      { kind: 'running', child, isSupervised: false, isStopping: false },
      { phase: 'running' },
    ],
    [
      'that is to stop',
      { kind: 'running', child, isSupervised: true, isStopping: true },
      { phase: 'stopping' },
    ],
    ['that nobody saw ending', { kind: 'vanished' }, { phase: 'failed', exitCode: null }],
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
      'that came to its time limit',
      ended({ reason: 'wall_limit', detail: 'the limit' }),
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
    const report = of(ended({ reason: 'start_failed', detail: 'x'.repeat(10_000) }));
    const frame: BrokerFrame = { t: 'event', agents: [report] };

    expect(parseBrokerFrame(JSON.stringify(frame))).toEqual(frame);
  });
});
