import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { readableLog } from '../../../test/broker/support/log.js';
import { expectNoLeaks, takeStock, type Stock } from '../../../test/support/leaks.js';
import { memoryFolder } from '../../../test/support/memory-folder.js';
import type { AgentReport } from '../../protocol/frame.js';
import { Followers } from './followers.js';
import { RunFolder } from './run-folder.js';

describe('whoever follows runs', () => {
  let folder: string;
  let before: Stock;

  beforeEach(() => {
    before = takeStock();
    folder = memoryFolder('fairlead-followers-');
  });

  afterEach(async () => {
    rmSync(folder, { recursive: true });
    await expectNoLeaks(before);
  });

  it('gives up a run that cannot be looked at even as the next one is about to begin', async () => {
    const { log, lines } = readableLog();
    const reports: AgentReport[] = [];
    const followers = new Followers((report) => reports.push(report), new AbortController().signal, log);
    const [agentId, runId] = [uuidv7(), uuidv7()];
    const run = new RunFolder(join(folder, runId));
    mkdirSync(run.path);
    writeFileSync(join(run.path, 'exit.json'), 'no JSON');
    followers.follow(agentId, runId, run);
    await followers.told(runId);
    expect(followers.hasToldAll).toBe(false);

    await followers.toldAll(agentId);

    expect(followers.hasToldAll).toBe(true);
    expect(lines.map((line) => line.runId)).toEqual([runId, runId]);
    expect(reports).toEqual([]);
  });
});
