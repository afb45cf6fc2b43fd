import { execFile } from 'node:child_process';
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open as openStore } from 'lmdb';
import { v7 as uuidv7 } from 'uuid';
import { Dice } from '../../scripts/fuzz/dice.js';
import { writtenLength } from '../../scripts/support/written-length.js';
import { ALL_READ, DATA_FILE, JOURNAL_FORMAT, saidOf, UNREADABLE } from '../../src/broker/journal/format.js';
import { Journal } from '../../src/broker/journal/journal.js';
import type { JournalRecord } from '../../src/broker/journal/record.js';
import { Room } from '../../src/broker/journal/room.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { builtModule, PROGRAMS } from './support/built.js';
import { readableLog } from './support/log.js';

const run = promisify(execFile);

const record = (given: Partial<JournalRecord> = {}): JournalRecord => ({
  id: uuidv7(),
  attempt: 1,
  op: 'broker.ping',
  args: { text: 'x'.repeat(300) },
  key: null,
  deadlineAt: 1,
  begunAt: 1,
  ending: null,
  confirmedAt: null,
  ...given,
});

/** What is always made ready where a disk has plenty. */
const RESERVE_BYTES = 768 * 4096;
/** In which POSIX has `ulimit -f` count. */
const BLOCK_BYTES = 512;

/** Of a process that may not write past a place in any file, as where a disk is full. */
const IN_A_FULL_PLACE = `
  process.on('unhandledRejection', (error) => console.log('unhandled', error));
  const { Journal } = await import(${JSON.stringify(builtModule('src/broker/journal/journal.js'))});
  const [path] = process.argv.slice(1);
  const log = { info() {}, warn() {}, error() {} };
  const begun = (id, text) => ({
    id, attempt: 1, op: 'broker.ping', args: { text }, key: null, deadlineAt: 1, begunAt: 1, ending: null, confirmedAt: null,
  });
  const told = (work) => work.then(
    () => null,
    ({ message, cause }) => ({ message, code: cause?.code, exit: cause?.cause?.code }),
  );
  const idOf = (count) => '01930000-0000-7000-8000-' + String(count).padStart(12, '0');
  const say = (what) => console.log(JSON.stringify(what));
`;

describe('room in the file of a journal', () => {
  let folder: string;
  let path: string;
  let before: Stock;
  const { log, lines } = readableLog();

  beforeEach(() => {
    folder = memoryFolder('fairlead-room-');
    path = join(folder, 'journal');
    lines.length = 0;
    before = takeStock();
  });

  afterEach(async () => {
    rmSync(folder, { recursive: true });
    await expectNoLeaks(before);
  });

  const dataSize = () => statSync(join(path, DATA_FILE)).size;

  const open = () => Journal.open(path, log, PROGRAMS.check);

  /** @returns what the process said last */
  const inAFullPlace = async (script: string, bytes: number): Promise<unknown> => {
    const node = [process.execPath, '--input-type=module', '-e', IN_A_FULL_PLACE + script, path];
    const blocks = String(Math.floor(bytes / BLOCK_BYTES));
    const { stdout } = await run('/bin/sh', ['-c', 'ulimit -f "$0" && exec "$@"', blocks, ...node]);
    expect(stdout).not.toContain('unhandled');
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  };

  it.each([1, 2, 3, 4])(
    'is made before LMDB wants it, whatever is written and removed (seed %d)',
    async (seed) => {
      const dice = new Dice(seed);
      const store = openStore<string, string>({ path, ...JOURNAL_FORMAT });
      const room = new Room(path, () => saidOf(store));
      // At places of their own: each is the only one that is changed in its leaf.
      const ids = Array.from({ length: 2_000 }, () => dice.bytes(16).toString('hex').padEnd(36, '0'));
      const longest = dice.pick([200, 2_000, 60_000]);

      for (let round = 0; round < 150; round += 1) {
        const last = saidOf(store).lastPageNumber;
        const groups = Array.from({ length: dice.pick([1, 1, 4]) }, () => {
          const count = 1 + dice.below(dice.pick([1, 5, 100]));
          const text = () => (dice.isLucky(0.2) ? '' : 'x'.repeat(1 + dice.below(longest)));
          return new Map(Array.from({ length: count }, () => [ids[dice.below(ids.length)] ?? '', text()]));
        });
        // All under way at once.
        const writes = groups.map((texts) => {
          const held = room.hold([...texts.values()].map((text) => text.length));
          const puts = [...texts].map(([id, text]) => (text === '' ? store.remove(id) : store.put(id, text)));
          return { held, puts };
        });
        const made = dataSize();
        await Promise.all(writes.flatMap(({ puts }) => puts));
        for (const { held } of writes) room.letGo(held);

        const { lastPageNumber, pageSize } = saidOf(store);
        expect(lastPageNumber - last).toBeLessThanOrEqual(writes.reduce((sum, { held }) => sum + held, 0));
        expect((lastPageNumber + 1) * pageSize).toBeLessThanOrEqual(made);
        expect(dataSize()).toBe(made);
      }
      await store.close();
    },
  );

  it('is made for each write that is under way, and no more where none is', async () => {
    const store = openStore<string, string>({ path, ...JOURNAL_FORMAT });
    await store.put('one', 'text');
    const room = new Room(path, () => saidOf(store));
    const large = 4 * 1024 * 1024;

    const first = room.hold([large]);
    const second = room.hold([large]);
    const both = dataSize();
    room.letGo(first);
    room.letGo(second);
    room.hold([large]);

    expect(both).toBeGreaterThan(2 * large);
    expect(dataSize()).toBe(both);
    await store.close();
  });

  it('that is not there is said before anything is written, and what was not written does not count', async () => {
    const said = await inAFullPlace(
      `
      const journal = await Journal.open(path, log);
      await journal.begin([begun(idOf(1), 'short')]);
      const error = await told(journal.begin([begun(idOf(2), 'x'.repeat(5_000_000))]));
      say({ error, isKept: journal.find(idOf(2)) !== undefined });
      process.exit(0);`,
      2 * 1024 * 1024,
    );

    expect(said).toEqual({
      error: { message: 'the journal could not be written', code: 'EFBIG' },
      isKept: false,
    });
    const journal = await open();
    const id = '01930000-0000-7000-8000-000000000001';
    expect(journal.unended()).toEqual([{ id, attempt: 1 }]);
    const begun = record({ id, args: { text: 'short' } });
    expect(journal.find(id)).toEqual({ ...begun, place: expect.any(Number) });
    await journal.close();
  });

  it('that was spared lets short commands begin and end where a disk has become full', async () => {
    const journal = await open();
    await journal.keepEpoch(1);
    await journal.close();
    await leaveTheReserve();

    const said = await inAFullPlace(
      `
      const journal = await Journal.open(path, log);
      const errors = [];
      for (let round = 0; round < 3; round += 1) {
        const ids = Array.from({ length: 64 }, (_none, count) => idOf(100 * round + count));
        errors.push(await told(journal.begin(ids.map((id) => begun(id, 'short')))));
        for (const id of ids) errors.push(await told(journal.end(id, { outcome: 'cancelled' })));
        errors.push(await told(journal.confirm(ids)));
      }
      say({ errors: errors.filter((error) => error !== null), unconfirmed: journal.unconfirmed().length });
      process.exit(0);`,
      dataSize(),
    );

    expect(said).toEqual({ errors: [], unconfirmed: 0 });
  });

  it('that was spared lets a journal forget what is old where a disk has become full', async () => {
    const journal = await open();
    const old = () => record({ ending: { outcome: 'cancelled' }, confirmedAt: 1 });
    await journal.begin(Array.from({ length: 250 }, old));
    await journal.close();
    await leaveTheReserve();

    const warned = await inAFullPlace(
      `
      const warnings = [];
      await Journal.open(path, { ...log, warn: (...told) => warnings.push(told) });
      say(warnings);
      process.exit(0);`,
      dataSize(),
    );

    expect(warned).toEqual([]);
    const store = openStore<string, string>({ path, ...JOURNAL_FORMAT });
    expect([...store.getKeys()]).toEqual(['!meta']);
    await store.close();
  });

  it('is left by commands to links, ends and what is forgotten', async () => {
    const journal = await open();
    const ended = (confirmedAt: number | null) => record({ ending: { outcome: 'cancelled' }, confirmedAt });
    const old = Array.from({ length: 130 }, () => ended(1));
    const told = Array.from({ length: 40 }, () => ended(null));
    await journal.begin([...old, ...told, record()]);
    await journal.close();
    const data = join(path, DATA_FILE);
    truncateSync(data, (await writtenLength(data)) + 256 * 4096);

    const said = await inAFullPlace(
      `
      const warnings = [];
      const journal = await Journal.open(path, { ...log, warn: (...told) => warnings.push(told) });
      const [{ id }] = journal.unended();
      const refusals = [
        await told(journal.keepEpoch(7)),
        await told(journal.end(id, { outcome: 'cancelled' })),
        await told(journal.confirm(journal.unconfirmed().map(({ id }) => id))),
      ];
      say({
        begun: await told(journal.begin([begun(idOf(1), 'short')])),
        refusals,
        warnings,
        unconfirmed: journal.unconfirmed(),
      });
      process.exit(0);`,
      dataSize(),
    );

    expect(said).toEqual({
      begun: { message: 'the journal could not be written', code: 'EFBIG' },
      refusals: [null, null, null],
      warnings: [],
      unconfirmed: [],
    });
  });

  it.each([
    ['a signal', `process.kill(process.pid, 'SIGBUS')`],
    ['what is said of a broken one', `process.exit(${UNREADABLE})`],
  ])('whose check ends with %s once all was read lets nobody put the journal aside', async (_how, end) => {
    const check = join(folder, 'check.mjs');
    writeFileSync(check, `import { writeSync } from 'node:fs'; writeSync(1, '${ALL_READ}'); ${end};`);

    await expect(Journal.open(path, log, check)).rejects.toThrow('could not be checked');

    expect(readdirSync(folder).sort()).toEqual(['check.mjs', 'journal']);
  });

  it('that is not there for a journal that was cut short lets nobody put it aside, and leaves the disk as it was', async () => {
    const { id, ids } = await cutShort(400);

    const error = await inAFullPlace(`say(await told(Journal.open(path, log)));`, 64 * 1024);

    expect(error).toMatchObject({ message: expect.stringContaining('could not be checked') });
    expect(readdirSync(folder)).toEqual(['journal']);
    const second = await open();
    expect(lines).toMatchObject([{ msg: expect.stringContaining('written anew') }]);
    expect(second.id).toBe(id);
    expect(ids.filter((each) => second.standing(each)?.hasEnded)).toHaveLength(ids.length);
    await second.close();
  });

  it('for a journal that is written anew is no more than it had', async () => {
    await cutShort(4_000);
    const size = dataSize();

    const second = await open();

    expect(lines).toMatchObject([{ msg: expect.stringContaining('written anew') }]);
    expect(dataSize()).toBeLessThan(2 * size + 2 * RESERVE_BYTES + 1024 * 1024);
    await second.close();
  });

  it('that is not there for a new journal keeps no file of it open', async () => {
    const said = await inAFullPlace(
      `
      const { readdirSync, readlinkSync } = await import('node:fs');
      const linkOf = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
      const error = await told(Journal.open(path, log));
      const left = readdirSync('/proc/self/fd').map(linkOf).filter((link) => link.startsWith(path));
      say({ message: error?.message, left });`,
      16 * 1024,
    );

    expect(said).toEqual({ message: 'the journal could not be written', left: [] });
  });

  /** Leaves so much room behind what is written as is always made ready. */
  async function leaveTheReserve(): Promise<void> {
    const data = join(path, DATA_FILE);
    truncateSync(data, (await writtenLength(data)) + RESERVE_BYTES);
  }

  /** A journal of so many ended commands whose file lacks its last page, in which no record is. */
  async function cutShort(count: number): Promise<{ id: string; ids: string[] }> {
    const journal = await open();
    const records = Array.from({ length: count }, () => record());
    await journal.begin(records);
    const ids = records.map(({ id }) => id);
    await Promise.all(ids.map((id) => journal.end(id, { outcome: 'cancelled' })));
    const { id } = journal;
    await journal.close();
    const store = openStore<string, string>({ path, ...JOURNAL_FORMAT });
    // It fits nowhere but behind all else, and what lists it then fits before it.
    await store.put('large', 'x'.repeat(dataSize()));
    await store.remove('large');
    await store.close();
    const data = join(path, DATA_FILE);
    truncateSync(data, (await writtenLength(data)) - 2_048);
    return { id, ids };
  }
});
