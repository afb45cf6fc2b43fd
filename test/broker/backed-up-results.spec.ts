import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { Broker } from '../../src/broker/broker.js';
import type { Home } from '../../src/broker/home.js';
import { Journal } from '../../src/broker/journal/journal.js';
import type { JournalRecord } from '../../src/broker/journal/record.js';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { PROGRAMS } from './support/built.js';
import { ScriptedHub, type HubLink } from './support/hub.js';
import { readableLog } from './support/log.js';
import { joinedHome } from './support/membership.js';
import { QUICK } from './support/quick.js';

const COUNT = 100;
const BODY = 'x'.repeat(216_000);
/** Between two readings of a hub whose broker has a narrow way to it. */
const READS_EVERY_MS = 10;

/** Of a command that ended while there was no link. */
function ended(): JournalRecord {
  const now = Date.now();
  return {
    id: uuidv7(),
    attempt: 1,
    op: 'agent.logs',
    args: {},
    key: null,
    begunAt: now,
    deadlineAt: now + 60_000,
    ending: { outcome: 'succeeded', body: BODY },
    confirmedAt: null,
  };
}

describe('a broker that was away, with more results than may wait on a link', () => {
  let before: Stock;
  let hub: ScriptedHub;
  let home: Home;
  let ids: string[];
  let broker: Broker | undefined;
  const { log, lines } = readableLog();

  const openJournal = () => Journal.open(home.journalPath, log, PROGRAMS.check);

  beforeEach(async () => {
    before = takeStock();
    lines.length = 0;
    hub = await ScriptedHub.open();
    home = await joinedHome(hub.url);
    const records = Array.from({ length: COUNT }, ended);
    expect(COUNT * BODY.length).toBeGreaterThan(2 * LIMITS.bufferedBytes);
    ids = records.map(({ id }) => id);
    const journal = await openJournal();
    await journal.begin(records);
    await journal.close();
  });

  afterEach(async () => {
    await broker?.stop({ stopAgents: false });
    broker = undefined;
    await hub.close();
    rmSync(home.path, { recursive: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before, { withinMs: 6_000 });
  });

  const start = async (times: Partial<typeof QUICK> = {}): Promise<HubLink> => {
    broker = await Broker.start({ home, log, times: { ...QUICK, ...times }, programs: PROGRAMS });
    return hub.link(0);
  };

  it('tells all of them on one link, in their order, to a hub that takes its time', async () => {
    const link = await start();
    const told: string[] = [];
    link.onFrame = (frame) => {
      if (frame.t !== 'result') return;
      const part = frame.results.map(({ id }) => id);
      told.push(...part);
      link.send({ t: 'confirm', ids: part });
      link.socket.pause();
      setTimeout(() => link.socket.resume(), READS_EVERY_MS);
    };

    await eventually(() => told.length >= COUNT || hub.links.length > 1, { withinMs: 30_000 });

    expect(hub.links).toHaveLength(1);
    expect(told).toEqual(ids);
    await broker?.stop({ stopAgents: false });
    const journal = await openJournal();
    expect(journal.unconfirmed()).toEqual([]);
    await journal.close();
  });

  it('cuts a link whose hub reads nothing, which pings find out', async () => {
    const link = await start({ pingMs: 100 });
    link.onFrame = (frame) => {
      if (frame.t === 'inventory') link.socket.pause();
    };

    const line = await eventually(() => lines.find(({ msg }) => msg.startsWith('the link ended')));

    expect(line).toMatchObject({ code: CLOSE_CODES.timed_out });
    link.socket.resume();
  });
});
