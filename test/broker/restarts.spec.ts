import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PHASES } from '../../src/hub/agents/phase.js';
import type { RestartPolicy } from '../../src/protocol/op.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { isProcess, until } from './support/agents.js';
import { Runs } from './support/runs.js';

const HOUR_MS = 3_600_000;
const of = (policy: RestartPolicy['policy'], maxRestarts = 100) => ({ restart: { policy, maxRestarts } });

describe('a run under a restart policy', () => {
  let before: Stock;
  let runs: Runs;

  beforeEach(() => {
    before = takeStock();
    runs = new Runs();
  });

  afterEach(async () => {
    await runs.close();
    await expectNoLeaks(before);
  });

  const witness = () => join(runs.folder, 'witness');
  const starts = () => (existsSync(witness()) ? readFileSync(witness(), 'utf8').trim().split('\n') : []);
  /** A command that writes down each of its starts, and then does what is told. */
  const witnessed = (script: string) => `echo $$ >> '${witness()}'; ${script}`;
  const inBackoff = (order: Parameters<Runs['path']>[0]) =>
    eventually(() => existsSync(join(runs.path(order), 'restart.json')));

  it('is started again after a failure, by the backoff of its shim, until it ends well', async () => {
    const web = runs.order(
      witnessed(`test $(wc -l < '${witness()}') -ge 3 && exit 0; exit 3`),
      of('on-failure'),
    );

    await runs.start(web);

    await runs.reported(web.runId, { phase: 'stopped', exitCode: 0, restarts: 2 });
    expect(starts()).toHaveLength(3);
  });

  it('is reported with each restart and the exit code before it, and its phase never goes backwards', async () => {
    runs.waitBeforeRestarts(100);
    const go = join(runs.folder, 'go');
    const script = `case $(wc -l < '${witness()}') in 3) ${until(go)};; 4) exit 5;; esac; exit 3`;
    const web = runs.order(witnessed(script), of('on-failure', 3));

    await runs.start(web);
    // Not each state is told of: this one lasts until it was.
    await runs.reported(web.runId, { phase: 'running', restarts: 2 });
    writeFileSync(go, '');
    await runs.reported(web.runId, { phase: 'failed' });

    const told = runs.reports.filter(({ phase }) => phase === 'running' || phase === 'failed');
    const restarts = told.filter(({ phase }) => phase === 'running').map((report) => report.restarts);
    expect(restarts).toEqual([...new Set(restarts)].sort());
    expect(told).toContainEqual(
      expect.objectContaining({
        phase: 'running',
        restarts: 2,
        exitCode: 3,
        detail: expect.stringMatching(/^Restart 2, at .*Z: It ended with exit code 3\.$/),
      }),
    );
    const phases = runs.reports.map(({ phase }) => PHASES.indexOf(phase));
    expect(phases).toEqual([...phases].sort());
  });

  it('has failed for good once it was restarted as often as allowed, and says so', async () => {
    runs.waitBeforeRestarts(0);
    const web = runs.order(witnessed('exit 3'), of('on-failure', 2));

    await runs.start(web);

    await runs.reported(web.runId, {
      phase: 'failed',
      exitCode: 3,
      restarts: 2,
      detail: 'It ended with exit code 3. It was restarted 2 times within 10 minutes, its limit maxRestarts.',
    });
    expect(starts()).toHaveLength(3);
    expect(await runs.runtime.countRunning()).toBe(0);
  });

  it.each([
    ['never', 'exit 3', 1],
    ['on-failure', 'exit 0', 1],
    ['always', 'exit 0', 3],
    ['on-failure', 'kill -KILL $$', 3],
  ] as const)('of %s is started after %s as often as it says: %i in all', async (policy, script, count) => {
    runs.waitBeforeRestarts(0);
    const web = runs.order(witnessed(script), of(policy, 2));

    await runs.start(web);
    await eventually(() => existsSync(join(runs.path(web), 'exit.json')), { withinMs: 15_000 });

    expect(starts()).toHaveLength(count);
  });

  it('keeps its run id, and the output of all its starts', async () => {
    runs.waitBeforeRestarts(0);
    const web = runs.order(`echo "$FAIRLEAD_RUN_ID"; exit 3`, of('on-failure', 2));

    await runs.start(web);
    await runs.reported(web.runId, { phase: 'failed' });

    expect(await runs.output(web.agentId)).toEqual([web.runId, web.runId, web.runId]);
  });

  it('is not started again where it could not be started at all', async () => {
    const web = runs.order('true', { command: 'no-such-program', ...of('always') });

    await expect(runs.start(web)).rejects.toMatchObject({ code: 'start_failed' });

    await runs.reported(web.runId, { phase: 'failed', restarts: 0 });
  });

  it('goes on being restarted while there is no broker, and tells the next one how often', async () => {
    runs.waitBeforeRestarts(100);
    const go = join(runs.folder, 'go');
    const web = runs.order(witnessed(`until test -e '${go}'; do sleep 0.05; done; exit 3`), of('always', 3));
    await runs.start(web);
    await runs.die();
    writeFileSync(go, '');
    await eventually(() => starts().length === 4, { withinMs: 15_000 });
    await eventually(() => existsSync(join(runs.path(web), 'exit.json')));

    await runs.runtime.recover();

    await runs.reported(web.runId, { phase: 'failed', exitCode: 3, restarts: 3 });
  });

  it('is over for good when its time is up, also within the backoff', async () => {
    runs.waitBeforeRestarts(HOUR_MS);
    const limits = { ...runs.order('').spec.limits, wallSeconds: 1 };
    const web = runs.order('exit 3', { ...of('always'), limits });

    await runs.start(web);

    await runs.reported(web.runId, { phase: 'failed', detail: expect.stringContaining('wallSeconds') });
  });

  describe('that is asked to stop', () => {
    it('within the backoff is over at once, and never started again', async () => {
      runs.waitBeforeRestarts(HOUR_MS);
      const web = runs.order(witnessed('exit 3'), of('always'));
      await runs.start(web);
      await inBackoff(web);
      expect(await runs.runtime.countRunning()).toBe(1);

      const stopped = await runs.runtime.stopRun({ ...web, graceMs: HOUR_MS }, () => true);

      expect(stopped).toEqual({ runId: web.runId, exitCode: 3 });
      await runs.reported(web.runId, { phase: 'stopped', exitCode: 3, restarts: 1 });
      expect(starts()).toHaveLength(1);
    });

    it('is not started again, though its command ends badly for it', async () => {
      runs.waitBeforeRestarts(0);
      const web = runs.order(
        witnessed(`trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done`),
        of('always'),
      );
      await runs.start(web);
      await eventually(async () => (await runs.output(web.agentId)).includes('ready'));

      await runs.runtime.stopRun({ ...web, graceMs: 10_000 }, () => true);

      await runs.reported(web.runId, { phase: 'stopped', exitCode: 3, restarts: 0 });
      expect(starts()).toHaveLength(1);
    });

    it('in the midst of crash after crash is over with all its processes, whenever the order comes', async () => {
      runs.waitBeforeRestarts(0);
      for (let round = 1; round <= 8; round += 1) {
        const web = runs.order(witnessed('exit 3'), of('always', 1_000));
        await runs.start(web);
        const soFar = starts().length;
        await eventually(() => starts().length >= soFar + (round % 4), { everyMs: 1 });

        await runs.runtime.stopRun({ ...web, graceMs: 10_000 }, () => true);

        const after = starts();
        expect(after.map(Number).filter(isProcess)).toEqual([]);
        await runs.reported(web.runId, { phase: 'stopped' });
        expect(isProcess(runs.read<{ pid: number }>(web, 'pid.json').pid)).toBe(false);
        expect(starts()).toEqual(after);
      }
    });

    it('is over although the crash and the death of its shim came between', async () => {
      runs.waitBeforeRestarts(HOUR_MS);
      const web = runs.order(witnessed('exit 3'), of('always'));
      await runs.start(web);
      await inBackoff(web);
      process.kill(runs.read<{ pid: number }>(web, 'shim.json').pid, 'SIGKILL');

      await runs.runtime.stopRun({ ...web, graceMs: 0 }, () => true);

      await runs.reported(web.runId, { phase: expect.stringMatching(/stopped|failed/), restarts: 1 });
      expect(await runs.runtime.countRunning()).toBe(0);
      expect(starts()).toHaveLength(1);
    });
  });

  it('is ended by a restart that was asked for: only the new run is started', async () => {
    runs.waitBeforeRestarts(HOUR_MS);
    const web = runs.order(witnessed('exit 3'), of('always'));
    await runs.start(web);
    await inBackoff(web);
    const next = runs.order('exec sleep 600', {}, web.agentId);

    await runs.runtime.restart({ ...next, fromRunId: web.runId, graceMs: 0 }, () => true);

    await runs.reported(web.runId, { phase: 'stopped' });
    await runs.reported(next.runId, { phase: 'running', restarts: 0 });
    expect(starts()).toHaveLength(1);
  });

  it('is gone once it is deleted', async () => {
    runs.waitBeforeRestarts(HOUR_MS);
    const web = runs.order(witnessed('exit 3'), of('always'));
    await runs.start(web);
    await inBackoff(web);
    const { pid: shim } = runs.read<{ pid: number }>(web, 'shim.json');

    await runs.runtime.delete({ ...web, graceMs: 0 }, () => true);

    await eventually(() => !isProcess(shim));
    expect(existsSync(runs.path(web))).toBe(false);
    expect(starts()).toHaveLength(1);
  });
});
