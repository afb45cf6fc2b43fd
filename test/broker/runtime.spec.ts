import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { AgentReport } from '../../src/protocol/frame.js';
import { NO_RESTART, type OpArgs, type ProcessSpec } from '../../src/protocol/op.js';
import { ProcessRuntime } from '../../src/broker/runtime/runtime.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { endRuns, FOREVER, HEEDS_NO_TERM, isProcess, NO_LIMITS, until } from './support/agents.js';
import { PROGRAMS } from './support/built.js';
import { readableLog } from './support/log.js';

const inTime = () => true;
const tooLate = () => false;

/** Makes folders below it whose path is longer than the system takes, so that nobody removes them by it: not even root. */
function buryDeep(path: string): void {
  const steps = Array.from({ length: 9 }, () => 'x'.repeat(250));
  for (const name of ['inner', 'outer']) mkdirSync(join(path, name, ...steps), { recursive: true });
  renameSync(join(path, 'inner'), join(path, 'outer', ...steps, 'inner'));
}

describe('the processes that a broker runs', () => {
  let folder: string;
  let before: Stock;
  let runtimes: Life[];
  const { log, lines } = readableLog();

  /** A broker's runtime, and what it reported. */
  type Life = { runtime: ProcessRuntime; reports: AgentReport[]; forgotten: string[] };

  beforeEach(() => {
    folder = memoryFolder('fairlead-runtime-');
    runtimes = [];
    lines.length = 0;
    before = takeStock();
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    for (const { runtime } of runtimes) {
      await runtime.stopAll(0);
      await runtime.stop();
    }
    await endRuns(join(folder, 'agents'));
    // A shim that came too late for a run may still be on its way out.
    rmSync(folder, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    expect(lines).toEqual([]);
    await expectNoLeaks(before);
  });

  const live = async ({
    hubUrl,
    shim = PROGRAMS.shim,
  }: { hubUrl?: string; shim?: string } = {}): Promise<Life> => {
    const reports: AgentReport[] = [];
    const forgotten: string[] = [];
    const runtime = new ProcessRuntime({
      agentsPath: join(folder, 'agents'),
      shim,
      hubUrl,
      log,
      report: (report) => reports.push(report),
      forget: (agentId) => forgotten.push(agentId),
    });
    const life = { runtime, reports, forgotten };
    runtimes.push(life);
    await runtime.recover();
    return life;
  };
  /** The broker's death: nobody follows or stops anything any more. */
  const die = async ({ runtime }: Life) => {
    await runtime.stop();
    runtimes = runtimes.filter((life) => life.runtime !== runtime);
  };
  const order = (
    script: string,
    spec: Partial<ProcessSpec> = {},
    agentId = uuidv7(),
  ): OpArgs['agent.start'] => ({
    agentId,
    name: 'web',
    runId: uuidv7(),
    spec: {
      command: '/bin/sh',
      args: ['-c', script],
      directory: null,
      environment: {},
      limits: NO_LIMITS,
      restart: NO_RESTART,
      ...spec,
    },
  });
  const runPath = ({ agentId, runId }: OpArgs['agent.start']) =>
    join(folder, 'agents', agentId, 'runs', runId);
  const witness = () => join(folder, 'witness');
  const witnessed = () => (existsSync(witness()) ? readFileSync(witness(), 'utf8').trim().split('\n') : []);
  /** A command that heeds no TERM by the time that its start is witnessed. */
  const heedingNoTerm = (script: string) => `${HEEDS_NO_TERM} echo $$ > '${witness()}'; ${script}`;
  const last = ({ reports }: Life, runId: string) =>
    reports.filter((report) => report.runId === runId).at(-1);
  const ended = (life: Life, runId: string) =>
    eventually(
      () => {
        const report = last(life, runId);
        return report?.phase === 'stopped' || report?.phase === 'failed' ? report : undefined;
      },
      { withinMs: 10_000 },
    );
  const logs = async ({ runtime }: Life, agentId: string) =>
    (await runtime.logs({ agentId, lines: 10_000 })).lines;
  const shimOf = (started: OpArgs['agent.start']) =>
    (JSON.parse(readFileSync(join(runPath(started), 'shim.json'), 'utf8')) as { pid: number }).pid;

  /** Its run goes on, and could not be looked at just now. @returns makes it readable again */
  const unseen = async (started: OpArgs['agent.start']) => {
    const path = join(runPath(started), 'pid.json');
    const written = readFileSync(path);
    writeFileSync(path, 'no JSON');
    await eventually(() => lines.length > 0);
    expect(lines.splice(0)).toMatchObject([
      { runId: started.runId, msg: expect.stringContaining('it is tried again') },
    ]);
    return () => writeFileSync(path, written);
  };

  describe('once started', () => {
    it('are reported as running, with their pid in the result', async () => {
      const life = await live();
      const web = order('exec sleep 600');

      const { pid, runId } = await life.runtime.startRun(web, inTime);

      expect(runId).toBe(web.runId);
      expect(isProcess(pid)).toBe(true);
      await eventually(() => last(life, web.runId)?.phase === 'running');
      expect(await life.runtime.countRunning()).toBe(1);
    });

    it('are not started again by a repeat of the command, nor by many at once', async () => {
      const life = await live();
      const web = order(`echo $$ >> '${witness()}'; exec sleep 600`);

      const starts = await Promise.all([1, 2, 3].map(() => life.runtime.startRun(web, inTime)));
      const again = await life.runtime.startRun(web, tooLate);

      expect(new Set([...starts, again].map(({ pid }) => pid)).size).toBe(1);
      await eventually(() => witnessed().length > 0);
      expect(witnessed()).toEqual([String(again.pid)]);
    });

    it('leave no token behind that they showed of themselves, also where another one comes after their end', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const tokens = () => readdirSync(runPath(web)).filter((name) => name.startsWith('token'));
      await life.runtime.startRun(web, inTime);
      await life.runtime.keepToken(web, 'shown');
      expect(tokens()).toEqual(['token']);

      await life.runtime.stopRun({ ...web, graceMs: 0 }, inTime);

      await eventually(() => tokens().length === 0);
      await life.runtime.keepToken(web, 'late');
      expect(tokens()).toEqual([]);
    });

    it('leave no token behind where they ended while there was no broker', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);
      await life.runtime.keepToken(web, 'shown');
      await die(life);
      process.kill(pid, 'SIGKILL');
      await eventually(() => existsSync(join(runPath(web), 'exit.json')));

      await live();

      await eventually(() => !existsSync(join(runPath(web), 'token')));
    });

    it('leave nothing behind of a token that the broker was putting in place when it was killed', async () => {
      const life = await live();
      const [web, next] = [order('exec sleep 600'), order('exec sleep 600')];
      next.agentId = web.agentId;
      await life.runtime.startRun(web, inTime);
      await life.runtime.restart({ ...next, fromRunId: web.runId, graceMs: 0 }, inTime);
      const names = [web, next].map((run) => join(runPath(run), `token.${uuidv7()}.part`));
      for (const name of names) writeFileSync(name, 'shown');
      const ofShim = join(runPath(next), `restart.json.${uuidv7()}.part`);
      writeFileSync(ofShim, '{}');
      await life.runtime.keepToken(next, 'kept');
      await die(life);

      await live();

      expect(names.filter((name) => existsSync(name))).toEqual([]);
      expect(readFileSync(join(runPath(next), 'token'), 'utf8')).toBe('kept');
      // A shim writes on while there is no broker.
      expect(existsSync(ofShim)).toBe(true);
    });

    it('keep no broker from its start by what they put in the place of a token', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);
      mkdirSync(join(runPath(web), `token.${uuidv7()}.part`));
      await die(life);

      const next = await live();

      expect(next.reports).toMatchObject([{ runId: web.runId, phase: 'running' }]);
      expect(isProcess(pid)).toBe(true);
      expect(lines.splice(0)).toMatchObject([{ msg: expect.stringContaining('could not be removed') }]);
    });

    it('keep another run of the same agent out', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      await life.runtime.startRun(web, inTime);

      const second = life.runtime.startRun(order('true', {}, web.agentId), inTime);

      await expect(second).rejects.toMatchObject({ code: 'already_running' });
    });

    it('get little of what the broker has in its environment', async () => {
      process.env.FAIRLEAD_TEST_SECRET = 'of the broker';
      const life = await live();
      const web = order('env', {
        environment: { OWN: 'value', PATH: '/usr/bin:/bin', FAIRLEAD_RUN_ID: 'forged' },
      });

      await life.runtime.startRun(web, inTime);
      delete process.env.FAIRLEAD_TEST_SECRET;
      await ended(life, web.runId);

      const environment = Object.fromEntries(
        (await logs(life, web.agentId)).map((line) => line.split(/=(.*)/s).slice(0, 2)),
      ) as Record<string, string>;
      const ofTheShell = ['PWD', 'SHLVL', '_', 'OLDPWD'];
      const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SHELL'];
      expect(environment).toMatchObject({
        OWN: 'value',
        PATH: '/usr/bin:/bin',
        FAIRLEAD_AGENT_ID: web.agentId,
        FAIRLEAD_AGENT_NAME: 'web',
        FAIRLEAD_RUN_ID: web.runId,
      });
      const known = new Set([...ofTheShell, ...inherited, 'OWN']);
      const others = Object.keys(environment).filter((name) => !known.has(name));
      expect(others.sort()).toEqual(['FAIRLEAD_AGENT_ID', 'FAIRLEAD_AGENT_NAME', 'FAIRLEAD_RUN_ID']);
    });

    it('are told where the hub is, and in which file of their own what they show there will be', async () => {
      const life = await live({ hubUrl: 'https://hub.example' });
      const web = order(
        'echo "$FAIRLEAD_AGENT_URL"; until [ -s "$FAIRLEAD_AGENT_TOKEN_FILE" ]; do sleep 0.05; done; ' +
          'cat "$FAIRLEAD_AGENT_TOKEN_FILE"; echo; exec sleep 600',
        { environment: { FAIRLEAD_AGENT_TOKEN_FILE: '/dev/null' } },
      );
      await life.runtime.startRun(web, inTime);

      await life.runtime.keepToken(web, 'shown to the hub');

      await eventually(async () => (await logs(life, web.agentId)).at(-1) === 'shown to the hub');
      expect(await logs(life, web.agentId)).toEqual(['https://hub.example', 'shown to the hub']);
      const { mode } = statSync(join(folder, 'agents', web.agentId, 'runs', web.runId, 'token'));
      expect(mode & 0o777).toBe(0o600);
    });

    it('work in a folder of their own, or in the one they were given', async () => {
      const life = await live();
      const own = order('pwd');
      const given = order('pwd', { directory: '/usr' });

      for (const web of [own, given]) {
        await life.runtime.startRun(web, inTime);
        await ended(life, web.runId);
      }

      expect(await logs(life, own.agentId)).toEqual([join(folder, 'agents', own.agentId, 'work')]);
      expect(await logs(life, given.agentId)).toEqual(['/usr']);
    });
  });

  describe('that cannot start', () => {
    it.each([
      ['a program that is not there', { command: 'no-such-program' }, 'There is no program no-such-program.'],
      [
        'a program that is not there, under limits',
        { command: 'no-such-program', limits: { ...NO_LIMITS, openFiles: 64 } },
        'There is no program no-such-program.',
      ],
      ['a directory that is not there', { directory: '/no/such/folder' }, '/no/such/folder does not exist'],
      ['a file that is no program', { command: '/etc/passwd' }, '/etc/passwd may not be run.'],
    ])('say so: %s', async (_what, spec, message) => {
      const life = await live();
      const web = order('true', spec);

      const start = life.runtime.startRun(web, inTime);

      await expect(start).rejects.toMatchObject({
        code: 'start_failed',
        message: expect.stringContaining(message),
      });
      expect(await ended(life, web.runId)).toMatchObject({
        phase: 'failed',
        detail: expect.stringContaining(message),
      });
      expect(await life.runtime.countRunning()).toBe(0);
    });

    it('are not started once the deadline has passed, and leave nothing behind', async () => {
      const life = await live();
      const web = order('true');

      await expect(life.runtime.startRun(web, tooLate)).rejects.toMatchObject({ code: 'deadline_passed' });

      expect(existsSync(runPath(web))).toBe(false);
      expect(life.reports).toEqual([]);
    });
  });

  it('are started or not, nobody knows, where that cannot be read once they are launched', async () => {
    const shim = join(folder, 'shim.mjs');
    const unreadable = `writeFileSync(process.argv[2] + '/restart.json', 'no JSON');`;
    const supervise = `await import(${JSON.stringify(PROGRAMS.shim)});`;
    writeFileSync(shim, `import { writeFileSync } from 'node:fs'; ${unreadable} ${supervise}`);
    const life = await live({ shim });
    const web = order('exec sleep 600');
    const starting = life.runtime.startRun(web, inTime);
    await eventually(() => existsSync(join(runPath(web), 'pid.json')));
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 16_000);

    await expect(starting).rejects.toMatchObject({ code: 'outcome_unknown' });

    rmSync(join(runPath(web), 'restart.json'));
    await eventually(() => last(life, web.runId)?.phase === 'running');
    expect(lines.splice(0).map(({ runId }) => runId)).toContain(web.runId);
  });

  describe('that end by themselves', () => {
    it('are stopped with 0, and failed with any other exit code', async () => {
      const life = await live();
      const [good, bad] = [order('echo done'), order('echo oops >&2; exit 3')];

      const { pid } = await life.runtime.startRun(good, inTime);
      await life.runtime.startRun(bad, inTime);

      expect(pid).toBeGreaterThan(0);
      expect(await ended(life, good.runId)).toMatchObject({ phase: 'stopped', exitCode: 0 });
      expect(await ended(life, bad.runId)).toMatchObject({ phase: 'failed', exitCode: 3 });
      expect(await logs(life, good.agentId)).toEqual(['done']);
      expect(await logs(life, bad.agentId)).toEqual(['oops']);
    });

    it('leave nothing running that nobody could stop', async () => {
      const life = await live();
      const web = order(`trap '' TERM; sleep 600 & echo $! > '${witness()}'; exit 0`);

      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);

      const child = Number(witnessed()[0]);
      await eventually(() => !isProcess(child));
    });

    it('have all their output kept, however fast they ended', async () => {
      const life = await live();
      const web = order('seq 1 5000');

      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);

      expect(await logs(life, web.agentId)).toEqual(
        Array.from({ length: 5_000 }, (_, index) => String(index + 1)),
      );
    });

    it('have their output kept in files of bounded size', async () => {
      const life = await live();
      const web = order(`head -c 25000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo; echo end`);

      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);

      const files = readdirSync(runPath(web)).filter((name) => name.startsWith('output.log'));
      expect(files.sort()).toEqual(['output.log', 'output.log.1', 'output.log.2']);
      const { lines: read, truncated } = await life.runtime.logs({ agentId: web.agentId, lines: 10_000 });
      expect(read.at(-1)).toBe('end');
      expect(read[0]).toBe('x'.repeat(100));
      expect(truncated).toBe(true);
    });
  });

  describe('under limits', () => {
    it('see the limits that were set', async () => {
      const life = await live();
      const web = order('ulimit -n; ulimit -t', { limits: { ...NO_LIMITS, openFiles: 123, cpuSeconds: 77 } });

      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);

      expect(await logs(life, web.agentId)).toEqual(['123', '77']);
    });

    it('are stopped after their time, and count as failed', async () => {
      const life = await live();
      const web = order('exec sleep 600', { limits: { ...NO_LIMITS, wallSeconds: 1 } });

      await life.runtime.startRun(web, inTime);

      expect(await ended(life, web.runId)).toMatchObject({
        phase: 'failed',
        detail: 'It ran for its limit of 1 s, wallSeconds.',
      });
    });

    it('may run for a year, which no timer can hold', async () => {
      const life = await live();
      const web = order('exec sleep 2', { limits: { ...NO_LIMITS, wallSeconds: 31_536_000 } });

      await life.runtime.startRun(web, inTime);

      expect(await ended(life, web.runId)).toMatchObject({ phase: 'stopped', exitCode: 0 });
    });
  });

  describe('that are stopped', () => {
    it('end by SIGTERM where they heed it, whatever they make of it', async () => {
      const life = await live();
      const web = order(`trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done`);
      await life.runtime.startRun(web, inTime);
      await eventually(async () => (await logs(life, web.agentId)).includes('ready'));

      const { exitCode } = await life.runtime.stopRun({ ...web, graceMs: 10_000 }, inTime);

      expect(exitCode).toBe(5);
      expect(await ended(life, web.runId)).toMatchObject({ phase: 'stopped', exitCode: 5 });
      expect(await logs(life, web.agentId)).toContain('bye');
    });

    it('end by SIGKILL where they do not, with all that they started', async () => {
      const life = await live();
      const web = order(
        `trap '' TERM; sh -c 'echo $$ > "${witness()}"; while :; do sleep 0.05; done' & while :; do sleep 0.05; done`,
      );
      const { pid } = await life.runtime.startRun(web, inTime);
      const child = Number(await eventually(() => witnessed()[0]));

      const { exitCode } = await life.runtime.stopRun({ ...web, graceMs: 200 }, inTime);

      expect(exitCode).toBeNull();
      expect(await ended(life, web.runId)).toMatchObject({ phase: 'stopped' });
      expect(isProcess(pid)).toBe(false);
      await eventually(() => !isProcess(child));
    });

    it('may be stopped again, which tells how they ended', async () => {
      const life = await live();
      const web = order('exit 3');
      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);

      const stop = () => life.runtime.stopRun({ ...web, graceMs: 0 }, tooLate);

      expect(await stop()).toEqual({ runId: web.runId, exitCode: 3 });
      expect(await stop()).toEqual({ runId: web.runId, exitCode: 3 });
    });

    it('need not have been started', async () => {
      const life = await live();

      const stopped = await life.runtime.stopRun({ ...order('true'), graceMs: 0 }, inTime);

      expect(stopped.exitCode).toBeNull();
    });

    it('are left alone by a stop that comes after its deadline', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);

      await expect(life.runtime.stopRun({ ...web, graceMs: 0 }, tooLate)).rejects.toMatchObject({
        code: 'deadline_passed',
      });

      expect(isProcess(pid)).toBe(true);
    });
  });

  describe('that are restarted', () => {
    const restart = (from: OpArgs['agent.start'], script: string) => ({
      ...order(script, {}, from.agentId),
      fromRunId: from.runId,
      graceMs: 5_000,
    });

    it('are stopped first, and reported in the order of their runs', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const first = await life.runtime.startRun(web, inTime);
      const next = restart(web, 'exec sleep 600');

      const second = await life.runtime.restart(next, inTime);

      expect(isProcess(first.pid)).toBe(false);
      expect(isProcess(second.pid)).toBe(true);
      await eventually(() => last(life, next.runId)?.phase === 'running');
      const runs = life.reports.map(({ runId }) => runId);
      expect(runs.lastIndexOf(web.runId)).toBeLessThan(runs.indexOf(next.runId));
      expect(last(life, web.runId)).toMatchObject({ phase: 'stopped' });
    });

    it('are told to the end before the next run begins, also where they could not be looked at just now', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      await life.runtime.startRun(web, inTime);
      const seenAgain = await unseen(web);
      const next = restart(web, 'exec sleep 600');
      seenAgain();

      await life.runtime.restart(next, inTime);

      const runs = life.reports.map(({ runId }) => runId);
      expect(last(life, web.runId)).toMatchObject({ phase: 'stopped' });
      expect(runs.lastIndexOf(web.runId)).toBeLessThan(runs.indexOf(next.runId));
    });

    it('are restarted once, however often the command is done', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      await life.runtime.startRun(web, inTime);
      const next = restart(web, `echo $$ >> '${witness()}'; exec sleep 600`);

      const first = await life.runtime.restart(next, inTime);
      const again = await life.runtime.restart(next, tooLate);

      expect(again).toEqual(first);
      await eventually(() => witnessed().length > 0);
      expect(witnessed()).toEqual([String(first.pid)]);
    });

    it('go on as they are where the restart comes after its deadline', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);

      await expect(life.runtime.restart(restart(web, 'true'), tooLate)).rejects.toMatchObject({
        code: 'deadline_passed',
      });

      expect(isProcess(pid)).toBe(true);
    });
  });

  describe('that are deleted', () => {
    it('are stopped, and nothing of them is left', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);

      await life.runtime.delete({ agentId: web.agentId, runId: web.runId, graceMs: 5_000 }, inTime);

      expect(isProcess(pid)).toBe(false);
      expect(readdirSync(join(folder, 'agents'))).toEqual([]);
      expect(last(life, web.runId)?.phase).toBe('stopped');
      expect(life.forgotten).toEqual([web.agentId]);
      expect(await logs(life, web.agentId)).toEqual([]);
    });

    it('are told to the end, also where they could not be looked at just now', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      await life.runtime.startRun(web, inTime);
      const seenAgain = await unseen(web);
      seenAgain();

      await life.runtime.delete({ ...web, graceMs: 0 }, inTime);

      expect(last(life, web.runId)?.phase).toBe('stopped');
    });

    it('are gone for good although the broker died within the deletion', async () => {
      const life = await live();
      const web = order('true');
      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);
      const agentPath = join(folder, 'agents', web.agentId);
      renameSync(agentPath, `${agentPath}.gone`);
      await die(life);

      await live();

      expect(readdirSync(join(folder, 'agents'))).toEqual([]);
    });

    it('are gone although they left what cannot be removed, which keeps no broker from its start', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      await life.runtime.startRun(web, inTime);
      buryDeep(join(folder, 'agents', web.agentId, 'work'));
      const deletion = { ...web, graceMs: 0 };

      expect(await life.runtime.delete(deletion, inTime)).toEqual({});
      expect(await life.runtime.delete(deletion, inTime)).toEqual({});

      expect(life.forgotten).toContain(web.agentId);
      expect(existsSync(join(folder, 'agents', web.agentId))).toBe(false);
      await die(life);
      const next = await live();
      expect(next.runtime.hasReportedAll).toBe(true);
      expect(next.reports).toEqual([]);
      const left = expect.objectContaining({ msg: 'what is left of a deleted agent could not be removed' });
      expect(lines.splice(0)).toEqual([left, left]);
      execFileSync('rm', ['-rf', join(folder, 'agents')]);
    });

    it('may be deleted again, or never have been', async () => {
      const life = await live();
      const deletion = { agentId: uuidv7(), runId: null, graceMs: 0 };

      expect(await life.runtime.delete(deletion, inTime)).toEqual({});
      expect(await life.runtime.delete(deletion, inTime)).toEqual({});
    });

    it('keep their files where the deletion comes after its deadline', async () => {
      const life = await live();
      const web = order('echo work');
      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);

      const deletion = life.runtime.delete({ ...web, graceMs: 0 }, tooLate);

      await expect(deletion).rejects.toMatchObject({ code: 'deadline_passed' });
      expect(await logs(life, web.agentId)).toEqual(['work']);
    });
  });

  describe('of a broker that died', () => {
    it('go on, and are found again with their exit code and all their output', async () => {
      const first = await live();
      const web = order(`echo before; until test -e '${witness()}'; do sleep 0.05; done; echo after; exit 4`);
      const { pid } = await first.runtime.startRun(web, inTime);
      await die(first);
      expect(isProcess(pid)).toBe(true);

      const second = await live();
      await eventually(() => last(second, web.runId)?.phase === 'running');
      rmSync(witness(), { force: true });
      writeFileSync(witness(), '');

      expect(await ended(second, web.runId)).toMatchObject({ phase: 'failed', exitCode: 4 });
      expect(await logs(second, web.agentId)).toEqual(['before', 'after']);
    });

    it('are reported although they ended while there was no broker', async () => {
      const first = await live();
      const web = order('exec sleep 600');
      const { pid } = await first.runtime.startRun(web, inTime);
      await die(first);
      process.kill(pid, 'SIGKILL');
      await eventually(() => existsSync(join(runPath(web), 'exit.json')));

      const second = await live();

      expect(await ended(second, web.runId)).toMatchObject({ detail: 'It was ended by SIGKILL.' });
    });

    it('are found by the command that had started them, done again', async () => {
      const first = await live();
      const web = order(`echo $$ >> '${witness()}'; exec sleep 600`);
      const { pid } = await first.runtime.startRun(web, inTime);
      await die(first);

      const second = await live();

      expect(await second.runtime.startRun(web, tooLate)).toEqual({ runId: web.runId, pid });
      await eventually(() => witnessed().length > 0);
      expect(witnessed()).toHaveLength(1);
    });
  });

  describe('of which one cannot be read', () => {
    const entryOf = ({ agentId }: OpArgs['agent.start']) => join(folder, 'agents', agentId, 'agent.json');

    it.each([
      { what: 'which run it had', path: entryOf },
      { what: 'how its run is', path: (web: OpArgs['agent.start']) => join(runPath(web), 'pid.json') },
    ])('are found again but for that one, which is tried again: $what', async ({ path }) => {
      const first = await live();
      const [broken, web] = [order('exec sleep 600'), order('exec sleep 600')];
      for (const each of [broken, web]) await first.runtime.startRun(each, inTime);
      await die(first);
      const written = readFileSync(path(broken));
      writeFileSync(path(broken), 'no JSON');

      const second = await live();

      expect(second.reports).toMatchObject([{ runId: web.runId, phase: 'running' }]);
      expect(second.runtime.hasReportedAll).toBe(false);
      expect(await second.runtime.countRunning()).toBe(1);
      expect(new Set(lines.splice(0).map(({ agentId }) => agentId))).toEqual(new Set([broken.agentId]));
      writeFileSync(path(broken), written);
      await eventually(() => second.runtime.hasReportedAll);
      expect(last(second, broken.runId)).toMatchObject({ phase: 'running' });
      lines.length = 0;
    });

    it('are all stopped but for that one', async () => {
      const life = await live();
      const [broken, web] = [order('exec sleep 600'), order('exec sleep 600')];
      for (const each of [broken, web]) await life.runtime.startRun(each, inTime);
      const written = readFileSync(entryOf(broken));
      writeFileSync(entryOf(broken), 'no JSON');

      await life.runtime.stopAll(5_000);

      expect(last(life, web.runId)?.phase).toBe('stopped');
      expect(lines.splice(0)).toMatchObject([
        { agentId: broken.agentId, msg: 'an agent could not be stopped' },
      ]);
      writeFileSync(entryOf(broken), written);
    });

    it('do not keep the broker from its start by what stands in the place of their runs', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      await life.runtime.startRun(web, inTime);
      await life.runtime.stopRun({ ...web, graceMs: 0 }, inTime);
      await die(life);
      const runs = join(folder, 'agents', web.agentId, 'runs');
      renameSync(runs, `${runs}.kept`);
      symlinkSync('runs', runs);

      const next = await live();

      expect(next.runtime.hasReportedAll).toBe(false);
      expect(lines.splice(0).map(({ agentId }) => agentId)).toEqual([web.agentId, web.agentId]);
      rmSync(runs);
      renameSync(`${runs}.kept`, runs);
    });
  });

  describe('whose supervisor was killed', () => {
    it('run on, and can be stopped, although nobody learns their exit code', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);
      process.kill(shimOf(web), 'SIGKILL');
      await eventually(() => !isProcess(shimOf(web)));
      expect(await life.runtime.countRunning()).toBe(1);

      const { exitCode } = await life.runtime.stopRun({ ...web, graceMs: 5_000 }, inTime);

      expect(exitCode).toBeNull();
      expect(isProcess(pid)).toBe(false);
      expect(await ended(life, web.runId)).toMatchObject({ phase: 'stopped', exitCode: null });
    });

    it('are killed where they do not heed the stop, also by the death of the supervisor within it', async () => {
      const life = await live();
      const web = order(heedingNoTerm(FOREVER));
      const { pid } = await life.runtime.startRun(web, inTime);
      await eventually(() => witnessed()[0]);
      const stopping = life.runtime.stopRun({ ...web, graceMs: 3_000 }, inTime);
      await eventually(() => last(life, web.runId)?.phase === 'stopping');

      process.kill(shimOf(web), 'SIGKILL');

      expect(await stopping).toEqual({ runId: web.runId, exitCode: null });
      expect(isProcess(pid)).toBe(false);
      expect(await ended(life, web.runId)).toMatchObject({ phase: 'stopped', exitCode: null });
    });

    it('leave nothing running beside the next run, though they ended where nobody watched', async () => {
      const life = await live();
      const web = order(`sleep 600 & echo $! > '${witness()}'; wait`);
      const { pid } = await life.runtime.startRun(web, inTime);
      const child = Number(await eventually(() => witnessed()[0]));
      await eventually(() => last(life, web.runId)?.phase === 'running');
      process.kill(shimOf(web), 'SIGKILL');
      process.kill(pid, 'SIGKILL');
      await eventually(() => !isProcess(shimOf(web)) && !isProcess(pid));

      await life.runtime.startRun(order('exec sleep 600', {}, web.agentId), inTime);

      await eventually(() => !isProcess(child));
    });

    it('are reported as failed once they are gone as well', async () => {
      const life = await live();
      const web = order('exec sleep 600');
      const { pid } = await life.runtime.startRun(web, inTime);

      process.kill(shimOf(web), 'SIGKILL');
      process.kill(pid, 'SIGKILL');

      expect(await ended(life, web.runId)).toMatchObject({
        phase: 'failed',
        detail: expect.stringContaining('nobody watched'),
      });
    });
  });

  it('keep no more than a few runs of an agent', async () => {
    const life = await live();
    const agentId = uuidv7();

    for (let run = 0; run < 8; run += 1) {
      const web = order('true', {}, agentId);
      await life.runtime.startRun(web, inTime);
      await ended(life, web.runId);
    }

    expect(readdirSync(join(folder, 'agents', agentId, 'runs')).length).toBeLessThanOrEqual(6);
  });

  it('are started although what an old run has left cannot be removed', async () => {
    const life = await live();
    const oldest = order('true');
    const others = Array.from({ length: 7 }, () => order('true', {}, oldest.agentId));
    await life.runtime.startRun(oldest, inTime);
    await ended(life, oldest.runId);
    buryDeep(runPath(oldest));

    for (const run of others) {
      await life.runtime.startRun(run, inTime);
      await ended(life, run.runId);
    }

    const left = { msg: 'what is left of an old run could not be removed', folder: runPath(oldest) };
    expect(lines.splice(0)).toMatchObject([left, left]);
    execFileSync('rm', ['-rf', runPath(oldest)]);
    const kept = others.slice(1).map(({ runId }) => runId);
    expect(readdirSync(join(folder, 'agents', oldest.agentId, 'runs')).sort()).toEqual(kept);
  });

  it('are all stopped where the broker is asked to, and the hub is told', async () => {
    const life = await live();
    const agents = [order('exec sleep 600'), order('exec sleep 600')];
    for (const web of agents) await life.runtime.startRun(web, inTime);

    await life.runtime.stopAll(5_000);

    for (const { runId } of agents) expect(last(life, runId)?.phase).toBe('stopped');
    expect(await life.runtime.countRunning()).toBe(0);
  });

  it('are not restarted past the stop of all, of which nobody would stop the new one', async () => {
    const life = await live();
    const sign = join(folder, 'may-end');
    const web = order(heedingNoTerm(until(sign)));
    await life.runtime.startRun(web, inTime);
    await eventually(() => witnessed()[0]);
    const next = order('exec sleep 600', {}, web.agentId);
    const restarting = life.runtime.restart({ ...next, fromRunId: web.runId, graceMs: 60_000 }, inTime);
    await eventually(() => last(life, web.runId)?.phase === 'stopping');

    const ends = Promise.allSettled([restarting, life.runtime.stopAll(60_000)]);
    writeFileSync(sign, '');
    const [restarted] = await ends;

    expect(restarted).toMatchObject({ status: 'rejected', reason: { name: 'OpInterrupted' } });
    expect(last(life, web.runId)?.phase).toBe('stopped');
    expect(existsSync(runPath(next))).toBe(false);
    await die(life);
    const { runtime } = await live();
    expect(await runtime.restart({ ...next, fromRunId: web.runId, graceMs: 500 }, inTime)).toMatchObject({
      runId: next.runId,
    });
  });

  it('do not make the end of the broker wait for a stop that is under way', async () => {
    const life = await live();
    const sign = join(folder, 'may-end');
    const web = order(heedingNoTerm(until(sign)));
    await life.runtime.startRun(web, inTime);
    await eventually(() => witnessed()[0]);
    const stopping = life.runtime.stopRun({ ...web, graceMs: 60_000 }, inTime);
    await eventually(() => last(life, web.runId)?.phase === 'stopping');

    await die(life);

    await expect(stopping).rejects.toMatchObject({ name: 'OpInterrupted' });
    writeFileSync(sign, '');
    const next = await live();
    expect(await ended(next, web.runId)).toMatchObject({ phase: 'stopped' });
  });
});
