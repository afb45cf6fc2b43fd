import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { RunFolder } from '../../src/broker/runtime/run-folder.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { HEEDS_NO_TERM, isProcess } from './support/agents.js';
import { messageOf, READS } from './support/messages.js';
import { Runs } from './support/runs.js';

const inTime = () => true;
const tooLate = () => false;

describe('what an earlier life of the broker has begun', () => {
  let before: Stock;
  let runs: Runs;

  beforeEach(() => {
    before = takeStock();
    runs = new Runs();
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await runs.close();
    await expectNoLeaks(before);
  });

  const begun = () => runs.runtime.begun;
  /** An agent that goes on for as long as it is asked to stop kindly. */
  const stubborn = async () => {
    const sign = join(runs.folder, uuidv7());
    const web = runs.order(`${HEEDS_NO_TERM} echo > '${sign}'; while :; do sleep 0.05; done`);
    await runs.start(web);
    await eventually(() => readFileSync(sign).length > 0);
    return web;
  };
  const until = (isBegun: () => Promise<boolean>) => eventually(async () => (await isBegun()) || undefined);

  it('is a start once its run is taken, also when it is over, and not by its order alone', async () => {
    const web = runs.order('exit 0');
    expect(await begun().start(web)).toBe(false);
    const workFolder = join(runs.folder, 'work');
    await new RunFolder(runs.path(web)).make({ ...web, workFolder });
    expect(await begun().start(web)).toBe(false);

    await runs.start(web);

    expect(await begun().start(web)).toBe(true);
    await runs.ended(web);
    expect(await begun().start(web)).toBe(true);
  });

  it('is a stop once its order is there', async () => {
    const web = runs.order('exec sleep 600');
    await runs.start(web);
    const stop = { ...web, graceMs: 0 };
    expect(await begun().stop(stop)).toBe(false);

    await runs.runtime.stopRun(stop, inTime);

    expect(await begun().stop(stop)).toBe(true);
  });

  it('is a restart once the run before it is asked to stop for it, and not by a stop of before', async () => {
    const stopped = runs.order('exec sleep 600');
    await runs.start(stopped);
    await runs.runtime.stopRun({ ...stopped, graceMs: 0 }, inTime);
    const anew = { ...runs.order('exec sleep 600', {}, stopped.agentId), graceMs: 0 };
    expect(await begun().restart({ ...anew, fromRunId: stopped.runId })).toBe(false);

    const web = await stubborn();
    const next = { ...runs.order('exec sleep 600', {}, web.agentId), graceMs: 500, fromRunId: web.runId };
    const interrupted = runs.runtime.restart(next, inTime).catch(() => undefined);
    await until(() => begun().restart(next));
    expect(await begun().restart({ ...next, runId: uuidv7() })).toBe(false);
    await runs.die();
    await interrupted;

    expect(await begun().restart(next)).toBe(true);
  });

  it('goes through, past its deadline too, where it is a restart: an agent that was stopped for it is started', async () => {
    const web = await stubborn();
    const next = { ...runs.order('exec sleep 600', {}, web.agentId), graceMs: 100, fromRunId: web.runId };
    const interrupted = runs.runtime.restart(next, inTime).catch(() => undefined);
    await until(() => begun().restart(next));
    await runs.die();
    await interrupted;

    const { pid } = await runs.runtime.restart(next, tooLate);

    expect(isProcess(pid)).toBe(true);
  });

  it('is a deletion once the agent is asked to stop for it, and not by a stop of before', async () => {
    const stopped = runs.order('exec sleep 600');
    await runs.start(stopped);
    await runs.runtime.stopRun({ ...stopped, graceMs: 0 }, inTime);
    expect(await begun().deletion({ ...stopped, graceMs: 0 })).toBe(false);

    const web = await stubborn();
    const deletion = { agentId: web.agentId, runId: web.runId, graceMs: 100 };
    const interrupted = runs.runtime.delete(deletion, inTime).catch(() => undefined);
    await until(() => begun().deletion(deletion));
    await runs.die();
    await interrupted;

    expect(await begun().deletion(deletion)).toBe(true);
    expect(await runs.runtime.delete(deletion, tooLate)).toEqual({});
    expect(await begun().deletion(deletion)).toBe(true);
    expect(await runs.runtime.delete(deletion, tooLate)).toEqual({});
  });

  it('is a message once it is in the inbox of the run', async () => {
    const web = runs.order(READS(join(runs.folder, 'read')), { stdin: 'messages' });
    const { agentId } = web;
    const [first, second] = [messageOf('first'), messageOf('second')];
    expect(await begun().message({ agentId, message: first })).toBe(false);
    await runs.start(web);
    expect(await begun().message({ agentId, message: first })).toBe(false);

    await runs.runtime.message({ agentId, message: first }, inTime);

    expect(await begun().message({ agentId, message: first })).toBe(true);
    expect(await begun().message({ agentId, message: second })).toBe(false);
  });
});
