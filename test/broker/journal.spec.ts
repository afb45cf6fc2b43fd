import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { Journal } from '../../src/broker/journal/journal.js';
import { writtenLength } from '../../scripts/support/written-length.js';
import type { Ending, JournalRecord } from '../../src/broker/journal/record.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { builtModule, PROGRAMS } from './support/built.js';
import { LEVEL, readableLog } from './support/log.js';

const DAY_MS = 24 * 3_600_000;
const done: Ending = { outcome: 'succeeded', body: { time: 'now' } };
const failure: Ending = { outcome: 'failed', error: { code: 'op_failed', message: 'no', retryable: false } };

const begun = (given: Partial<JournalRecord> = {}): JournalRecord => ({
  id: uuidv7(),
  attempt: 1,
  op: 'broker.ping',
  args: { secret: 'argument' },
  key: null,
  deadlineAt: Date.now() + 60_000,
  begunAt: Date.now(),
  ending: null,
  confirmedAt: null,
  ...given,
});

describe('the journal of a broker', () => {
  let folder: string;
  let path: string;
  let before: Stock;
  let opened: Journal[];
  const { log, lines } = readableLog();

  beforeEach(() => {
    folder = memoryFolder('fairlead-journal-');
    path = join(folder, 'journal');
    opened = [];
    lines.length = 0;
    before = takeStock();
  });

  afterEach(async () => {
    for (const journal of opened) await journal.close();
    rmSync(folder, { recursive: true });
    await expectNoLeaks(before);
  });

  const open = async () => {
    const journal = await Journal.open(path, log, PROGRAMS.check);
    opened.push(journal);
    return journal;
  };
  const reopen = async (journal: Journal) => {
    await close(journal);
    return open();
  };
  const close = async (journal: Journal) => {
    opened.splice(opened.indexOf(journal), 1);
    await journal.close();
  };

  it('knows after a restart what was begun, ended and confirmed, and who it is', async () => {
    const [one, two, three] = [begun(), begun(), begun()];
    const first = await open();
    await first.begin([one, two, three]);
    await first.end(two.id, done);
    await first.end(three.id, failure);
    await first.confirm([three.id]);
    const id = first.id;

    const second = await reopen(first);

    expect(second.id).toBe(id);
    expect(second.unended()).toEqual([{ id: one.id, attempt: 1 }]);
    expect(second.find(one.id)).toEqual({ ...one, place: expect.any(Number) });
    expect(second.unconfirmed().map((record) => record.id)).toEqual([two.id]);
    expect(second.find(two.id)).toMatchObject({ ending: done, confirmedAt: null });
    expect(second.find(three.id)).toMatchObject({ ending: failure, confirmedAt: expect.any(Number) });
    expect(lines).toEqual([]);
  });

  it('is for its owner alone', async () => {
    await open();

    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('has a command on disk when begin resolves, whatever kills the broker then', async () => {
    const script = `
      const { Journal } = await import(${JSON.stringify(builtModule('src/broker/journal/journal.js'))});
      const journal = await Journal.open(process.argv[1], {});
      const record = JSON.parse(process.argv[2]);
      await journal.begin([record]);
      process.kill(process.pid, 'SIGKILL');
    `;
    const record = begun();
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', script, path, JSON.stringify(record)],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    );
    expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);

    const journal = await open();

    expect(journal.find(record.id)).toEqual({ ...record, place: expect.any(Number) });
  });

  it('lets the first ending stand', async () => {
    const record = begun();
    const journal = await open();
    await journal.begin([record]);

    await journal.end(record.id, done);
    await journal.end(record.id, failure);

    expect((await reopen(journal)).find(record.id)?.ending).toEqual(done);
  });

  it('forgets the arguments of what has ended', async () => {
    const record = begun();
    const journal = await open();
    await journal.begin([record]);

    await journal.end(record.id, done);

    expect(journal.find(record.id)?.args).toEqual({});
  });

  it('takes the newest attempt of a repeat, also while its ending is written', async () => {
    const record = begun();
    const journal = await open();
    await journal.begin([record]);

    await Promise.all([
      journal.end(record.id, done),
      journal.repeated(record.id, 3),
      journal.repeated(record.id, 2),
    ]);

    expect((await reopen(journal)).find(record.id)).toMatchObject({ attempt: 3, ending: done });
  });

  it('knows after a restart what no life has given to its op, of many too, until one does', async () => {
    const journal = await open();
    const records = Array.from({ length: 150 }, () => begun());
    const [first, ended, started] = records as [JournalRecord, JournalRecord, JournalRecord];
    await journal.begin(records);
    await journal.end(ended.id, done);
    await journal.leaveUnstarted(records.map(({ id }) => id));
    await journal.start(started.id);

    const next = await reopen(journal);

    const unstarted = records.filter(({ id }) => next.find(id)?.isUnstarted === true);
    expect(unstarted).toHaveLength(148);
    expect(unstarted).toContain(first);
    expect(next.find(first.id)).toEqual({ ...first, place: 1, isUnstarted: true });
    expect(next.find(ended.id)?.ending).toEqual(done);
    expect(next.unended()).toHaveLength(149);
  });

  it('lays to rest what was begun and lost, once the hub confirms it', async () => {
    const record = begun();
    const journal = await open();
    await journal.begin([record]);

    await journal.confirm([record.id, uuidv7()]);

    expect(journal.unended()).toEqual([]);
    expect(journal.unconfirmed()).toEqual([]);
    expect(journal.find(record.id)?.ending).toMatchObject({
      outcome: 'failed',
      error: { code: 'outcome_unknown' },
    });
  });

  it('keeps no large answer of what only asks for data once it is confirmed, and all others', async () => {
    const large: Ending = { outcome: 'succeeded', body: { lines: ['x'.repeat(10_000)] } };
    const [logs, other, small] = [
      begun({ op: 'agent.logs' }),
      begun({ op: 'x.work' }),
      begun({ op: 'agent.logs' }),
    ];
    const journal = await open();
    await journal.begin([logs, other, small]);
    await Promise.all([logs, other].map(({ id }) => journal.end(id, large)));
    await journal.end(small.id, done);
    expect(journal.find(logs.id)?.ending).toEqual(large);

    await journal.confirm([logs.id, other.id, small.id]);
    await journal.confirm([logs.id]);

    const later = await reopen(journal);
    expect([logs, other, small].map(({ id }) => later.standing(id)?.isBare)).toEqual([true, false, false]);
    expect(JSON.stringify(later.find(logs.id)).length).toBeLessThan(1_000);
    expect(later.find(other.id)?.ending).toEqual(large);
  });

  it('forgets what was confirmed a day ago, and nothing else', async () => {
    const [confirmed, ended, unended] = [begun(), begun(), begun()];
    const journal = await open();
    await journal.begin([confirmed, ended, unended]);
    await journal.end(confirmed.id, done);
    await journal.end(ended.id, done);
    await journal.confirm([confirmed.id]);

    await journal.prune(Date.now() + DAY_MS - 60_000);
    expect(journal.find(confirmed.id)).toBeDefined();

    await journal.prune(Date.now() + DAY_MS + 60_000);
    expect(journal.find(confirmed.id)).toBeUndefined();

    const later = await reopen(journal);
    expect(later.find(confirmed.id)).toBeUndefined();
    expect(later.find(ended.id)).toBeDefined();
    expect(later.find(unended.id)).toBeDefined();
  });

  it('does not forget what is begun again while it is forgotten', async () => {
    const old = begun({ ending: failure, confirmedAt: Date.now() - DAY_MS - 60_000 });
    const journal = await open();
    await journal.begin([old]);

    await Promise.all([
      journal.prune(),
      journal.begin([{ ...old, attempt: 2, ending: null, confirmedAt: null }]),
    ]);

    expect(journal.unended()).toEqual([{ id: old.id, attempt: 2 }]);
    expect((await reopen(journal)).unended()).toEqual([{ id: old.id, attempt: 2 }]);
  });

  it('keeps the newest epoch, and never an older one', async () => {
    const journal = await open();
    expect(journal.lastEpoch).toBe(0);
    await journal.keepEpoch(7);
    await journal.keepEpoch(5);

    expect((await reopen(journal)).lastEpoch).toBe(7);
  });

  it('takes many commands at once, and large ones', async () => {
    const records = Array.from({ length: 500 }, () => begun({ args: { text: 'x'.repeat(250 * 1024) } }));
    const journal = await open();

    await Promise.all(records.map((record) => journal.begin([record])));

    const later = await reopen(journal);
    expect(later.unended()).toHaveLength(500);
  });

  it('tells what was written the moment that it is on disk, and while it is on its way there', async () => {
    const journal = await open();
    const read: unknown[] = [];

    for (let round = 0; round < 200; round += 1) {
      const record = begun();
      await journal.begin([record]);
      read.push(journal.find(record.id)?.ending);
      const ending = journal.end(record.id, done);
      read.push(journal.find(record.id)?.ending);
      await ending;
      read.push(journal.find(record.id)?.ending);
    }

    expect(read).toEqual(Array.from({ length: 200 }, () => [null, done, done]).flat());
  });

  it('keeps a day of results on disk, not in memory: also once they are confirmed, and after a restart', async () => {
    const script = `
      import { getHeapStatistics } from 'node:v8';
      const { Journal } = await import(${JSON.stringify(builtModule('src/broker/journal/journal.js'))});
      const { randomUUID } = await import('node:crypto');
      const usedMib = () => (globalThis.gc(), getHeapStatistics().used_heap_size / 2 ** 20);
      let journal = await Journal.open(process.argv[1], {});
      const emptyMib = usedMib();
      for (let round = 0; round < 10; round += 1) {
        const ids = Array.from({ length: 70 }, () => randomUUID());
        const args = { text: 'a'.repeat(20_000) };
        await journal.begin(ids.map((id) => ({ ...JSON.parse(process.argv[2]), id, args })));
        const endingOf = (id) => ({ outcome: 'succeeded', body: { text: id.repeat(6_000) } });
        await Promise.all(ids.map((id) => journal.end(id, endingOf(id))));
        await journal.confirm(ids.slice(10));
      }
      const fullMib = usedMib();
      await journal.close();
      journal = await Journal.open(process.argv[1], {});
      console.log(JSON.stringify({
        grewMib: fullMib - emptyMib,
        reopenedGrewMib: usedMib() - emptyMib,
        unconfirmed: journal.unconfirmed().length,
        body: journal.find(journal.unconfirmed()[0].id).ending.body.text.length,
      }));
      process.exit(0);
    `;
    const child = spawn(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', script, path, JSON.stringify(begun({ op: 'x.work' }))],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await once(child, 'close');

    const { grewMib, reopenedGrewMib, ...kept } = JSON.parse(out) as Record<string, number>;
    expect(kept).toEqual({ unconfirmed: 100, body: 216_000 });
    expect(Math.max(grewMib ?? NaN, reopenedGrewMib ?? NaN)).toBeLessThan(10);
  }, 120_000);

  it.each<[string, (file: string) => void]>([
    ['cut short', (file) => truncateSync(file, 10_000)],
    ['cut to nothing of use', (file) => truncateSync(file, 100)],
    ['filled with something else', (file) => writeFileSync(file, Buffer.alloc(100_000, 0x5a))],
  ])('that is %s is put aside, loudly, and a new one with another identity begins', async (_how, damage) => {
    const record = begun();
    const first = await open();
    await first.begin(Array.from({ length: 200 }, () => begun({ args: { text: 'x'.repeat(5_000) } })));
    await first.begin([record]);
    const id = first.id;
    await close(first);
    damage(join(path, 'data.mdb'));

    const second = await open();

    expect(second.id).not.toBe(id);
    expect(second.find(record.id)).toBeUndefined();
    expect(readdirSync(folder).filter((name) => name.startsWith('journal.broken-'))).toHaveLength(1);
    expect(lines).toMatchObject([{ level: LEVEL.error, msg: expect.stringContaining('put aside') }]);
    await second.begin([record]);
    expect((await reopen(second)).find(record.id)).toEqual({ ...record, place: expect.any(Number) });
  });

  it('that is cut short at any place either keeps all and its identity, and can be written to, or is put aside', async () => {
    const records = Array.from({ length: 40 }, () => begun({ args: { text: 'x'.repeat(300) } }));
    const first = await open();
    // Many small writes leave pages that no record is in, also at the end.
    for (const record of records) {
      await first.begin([record]);
      await first.end(record.id, { outcome: 'succeeded', body: 'x'.repeat(200) });
    }
    await first.confirm(records.map(({ id }) => id));
    const { id } = first;
    await close(first);
    const whole = join(folder, 'whole');
    cpSync(path, whole, { recursive: true });
    const size = await writtenLength(join(whole, 'data.mdb'));
    let kept = 0;
    for (let left = size - 2_048; left > 0; left -= 8_192) {
      rmSync(path, { recursive: true });
      cpSync(whole, path, { recursive: true });
      truncateSync(join(path, 'data.mdb'), left);

      const journal = await open();

      const isKept = journal.id === id;
      if (isKept) kept += 1;
      expect(records.filter((record) => journal.find(record.id) !== undefined)).toHaveLength(isKept ? 40 : 0);
      const more = Array.from({ length: 20 }, () => begun({ args: { text: 'y'.repeat(3_000) } }));
      for (const record of more) await journal.begin([record]);
      const again = await reopen(journal);
      expect(again.id).toBe(journal.id);
      expect(more.filter((record) => again.find(record.id) !== undefined)).toHaveLength(20);
      await close(again);
    }
    expect(kept).toBeGreaterThan(0);
  }, 120_000);

  it('tells what is begun in the order in which it was, whatever the ids are, over many lives', async () => {
    const inReverse = Array.from({ length: 4 }, () => uuidv7()).reverse();
    const [first = '', ...others] = inReverse;
    const one = await open();
    await one.begin([begun({ id: first })]);
    const two = await reopen(one);
    await two.begin(others.map((id) => begun({ id })));
    await two.repeated(first, 2);

    expect((await reopen(two)).unended().map(({ id }) => id)).toEqual(inReverse);
  });

  it('is not put aside where it could not be checked', async () => {
    const record = begun();
    const first = await open();
    await first.begin([record]);
    await close(first);

    await expect(Journal.open(path, log, join(folder, 'missing.js'))).rejects.toThrow('could not be checked');

    expect((await open()).find(record.id)).toEqual({ ...record, place: expect.any(Number) });
  });

  it('is not put aside where the system does not let the check look at it', async () => {
    await close(await open());
    const data = join(path, 'data.mdb');
    rmSync(data);
    mkdirSync(data);

    await expect(open()).rejects.toThrow('could not be checked');

    expect(readdirSync(folder)).toEqual(['journal']);
  });

  it('has more time to be checked the larger it is', async () => {
    const record = begun();
    const first = await open();
    await first.begin([record]);
    await close(first);
    const within = (perMibMs: number) => Journal.open(path, log, PROGRAMS.check, { withinMs: 1, perMibMs });

    await expect(within(0)).rejects.toThrow('could not be checked');
    const second = await within(10_000_000);
    opened.push(second);

    expect(second.find(record.id)).toBeDefined();
  });

  it('forgets what was confirmed a day ago also as it opens', async () => {
    const [old, confirmed, ended] = [begun(), begun(), begun()];
    const first = await open();
    await first.begin([
      { ...old, ending: done, confirmedAt: Date.now() - DAY_MS - 60_000 },
      { ...confirmed, ending: done, confirmedAt: Date.now() - DAY_MS + 60_000 },
      { ...ended, ending: done },
    ]);

    const second = await reopen(first);

    expect([old, confirmed, ended].map(({ id }) => second.find(id)?.id)).toEqual([
      undefined,
      confirmed.id,
      ended.id,
    ]);
  });
});
