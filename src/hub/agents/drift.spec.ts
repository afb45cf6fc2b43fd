import { describe, expect, it } from '@jest/globals';
import { driftOf, type KnownAgent, type ToldRun } from './drift.js';
import { PHASES } from './phase.js';

const HERE = 'broker-1';
const known = (over: Partial<KnownAgent> = {}): KnownAgent => ({
  id: 'a',
  brokerId: HERE,
  runId: 'r1',
  phase: 'running',
  isCommanded: false,
  ...over,
});
const told = (over: Partial<ToldRun> = {}) =>
  new Map<string, ToldRun>([['a', { runId: 'r1', phase: 'running', ...over }]]);
const NONE = { lost: [], behind: [], strays: [], mayBeUndone: false };

describe('a broker and the rows', () => {
  it('agree where both say the same', () => {
    expect(driftOf(HERE, told(), [known()])).toEqual(NONE);
  });

  it.each(PHASES)(
    'differ in nothing that is over at the broker, where the rows say %s of another run',
    (phase) => {
      const { strays, behind } = driftOf(HERE, told({ phase: 'stopped' }), [known({ phase, runId: 'r2' })]);

      expect({ strays, behind }).toEqual({ strays: [], behind: [] });
    },
  );

  it('differ where a run that should go on is not known to the broker, or another one is', () => {
    const lost = [{ agentId: 'a', runId: 'r1' }];

    expect(driftOf(HERE, new Map(), [known()])).toEqual({ ...NONE, lost });
    expect(driftOf(HERE, told({ runId: 'r0', phase: 'failed' }), [known()])).toEqual({ ...NONE, lost });
    expect(driftOf(HERE, told({ runId: 'r0' }), [known()])).toMatchObject({
      lost,
      strays: [{ kind: 'orphan', reason: 'run_superseded', runId: 'r0' }],
    });
  });

  it.each(['created', 'stopped', 'failed', 'deleting', 'deleted'] as const)(
    'differ in no lost run where the rows say %s',
    (phase) => {
      expect(driftOf(HERE, new Map(), [known({ phase })])).toEqual(NONE);
    },
  );

  it('differ in nothing that a command which has not ended explains', () => {
    for (const phase of ['starting', 'stopping', 'deleting', 'running', 'stopped'] as const) {
      const agent = known({ phase, runId: 'r2', isCommanded: true });

      expect(driftOf(HERE, told(), [agent])).toEqual({ ...NONE, mayBeUndone: true });
      expect(driftOf(HERE, new Map(), [agent])).toEqual({ ...NONE, mayBeUndone: true });
    }
  });

  it('differ in what may be undone where a run is over that the command was to end', () => {
    const agent = known({ phase: 'deleting', isCommanded: true });

    expect(driftOf(HERE, told({ phase: 'stopped' }), [agent])).toEqual({ ...NONE, mayBeUndone: true });
    expect(driftOf(HERE, told({ phase: 'stopped' }), [known({ phase: 'deleting' })])).toEqual(NONE);
  });

  it('agree while a command is on its way that they do not differ in yet', () => {
    expect(driftOf(HERE, told(), [known({ isCommanded: true })])).toEqual(NONE);
    expect(driftOf(HERE, new Map(), [known({ runId: null, isCommanded: true })])).toEqual(NONE);
  });

  it('differ where the broker is further than the rows, and never where it is behind them', () => {
    const ahead = driftOf(HERE, told({ phase: 'failed' }), [known()]);
    const late = driftOf(HERE, told({ phase: 'starting' }), [known({ phase: 'stopping' })]);

    expect(ahead).toEqual({ ...NONE, behind: [{ agentId: 'a', runId: 'r1' }] });
    expect(late).toEqual(NONE);
  });

  it.each([
    ['stopped', 'run_ended'],
    ['failed', 'run_ended'],
    ['deleted', 'agent_deleted'],
  ] as const)('differ in an orphan where a run goes on whose agent is %s', (phase, reason) => {
    const { strays } = driftOf(HERE, told(), [known({ phase })]);

    expect(strays).toEqual([{ kind: 'orphan', reason, agentId: 'a', runId: 'r1', phase: 'running' }]);
  });

  it('differ in an orphan where the agent is on another broker by now, whatever is commanded there', () => {
    const { strays, lost } = driftOf(HERE, told(), [known({ brokerId: 'broker-2', isCommanded: true })]);

    expect(strays).toMatchObject([{ kind: 'orphan', reason: 'agent_elsewhere' }]);
    expect(lost).toEqual([]);
  });

  it('differ in a stranger where the hub has never had the agent, for as long as it goes on', () => {
    expect(driftOf(HERE, told({ phase: 'stopping' }), []).strays).toMatchObject([
      { kind: 'stranger', reason: 'agent_unknown' },
    ]);
    expect(driftOf(HERE, told({ phase: 'failed' }), [])).toEqual(NONE);
  });
});
