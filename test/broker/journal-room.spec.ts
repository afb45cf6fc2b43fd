import { execFile } from 'node:child_process';
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { open as openStore } from 'lmdb';
import { v7 as uuidv7 } from 'uuid';
import { Dice } from '../../scripts/fuzz/dice.js';
import { writtenLength } from '../../scripts/support/written-length.js';
import { DATA_FILE, JOURNAL_FORMAT, saidOf } from '../../src/broker/journal/format.js';
import { Journal } from '../../src/broker/journal/journal.js';
import { Room } from '../../src/broker/journal/room.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { builtModule, PROGRAMS } from './support/built.js';
import { readableLog } from './support/log.js';

const run = promisify(execFile);

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
        const texts = new Map(
          Array.from({ length: 1 + dice.below(dice.pick([1, 5, 100])) }, () => [
            ids[dice.below(ids.length)] ?? '',
            dice.isLucky(0.2) ? '' : 'x'.repeat(1 + dice.below(longest)),
          ]),
        );
        const held = room.hold([...texts.values()].map((text) => text.length));
        const [made, last] = [dataSize(), saidOf(store).lastPageNumber];
        await Promise.all(
          [...texts].map(([id, text]) => (text === '' ? store.remove(id) : store.put(id, text))),
        );
        room.letGo(held);

        const { lastPageNumber, pageSize } = saidOf(store);
        expect(lastPageNumber - last).toBeLessThanOrEqual(held);
        expect((lastPageNumber + 1) * pageSize).toBeLessThanOrEqual(made);
        expect(dataSize()).toBe(made);
      }
      await store.close();
      room.close();
    },
  );

  it('that is not there is said before anything is written, and what was not written does not count', async () => {
    const said = await inAFullPlace(
      `
      const journal = await Journal.open(path, log);
      await journal.begin([begun(idOf(1), 'short')]);
      const error = await told(journal.begin([begun(idOf(2), 'x'.repeat(5_000_000))]));
      say({ error, isKept: journal.find(idOf(2)) !== undefined });
      process.exit(0);`,
      1024 * 1024,
    );

    expect(said).toEqual({
      error: { message: 'the journal could not be written', code: 'EFBIG' },
      isKept: false,
    });
    const journal = await open();
    expect(journal.unended()).toEqual([{ id: expect.stringMatching(/1$/), attempt: 1 }]);
    await journal.close();
  });

  it('that was spared lets short commands begin and end where a disk has become full', async () => {
    const journal = await open();
    await journal.keepEpoch(1);
    await journal.close();

    const said = await inAFullPlace(
      `
      const journal = await Journal.open(path, log);
      const errors = [];
      for (let count = 1; count <= 20; count += 1) {
        errors.push(await told(journal.begin([begun(idOf(count), 'short')])));
        errors.push(await told(journal.end(idOf(count), { outcome: 'cancelled' })));
      }
      say({ errors, unconfirmed: journal.unconfirmed().length });
      process.exit(0);`,
      dataSize(),
    );

    expect(said).toEqual({ errors: Array.from({ length: 40 }, () => null), unconfirmed: 20 });
  });

  it('that is not there for a journal that was cut short lets nobody put it aside', async () => {
    const first = await open();
    const ids = Array.from({ length: 40 }, () => uuidv7());
    for (const id of ids) {
      const record = { id, attempt: 1, op: 'broker.ping', args: { text: 'x'.repeat(300) }, key: null };
      await first.begin([{ ...record, deadlineAt: 1, begunAt: 1, ending: null, confirmedAt: null }]);
      await first.end(id, { outcome: 'succeeded', body: 'x'.repeat(200) });
    }
    const { id } = first;
    await first.close();
    // The last page lists what is free.
    truncateSync(join(path, DATA_FILE), (await writtenLength(join(path, DATA_FILE))) - 2_048);

    const error = await inAFullPlace(`say(await told(Journal.open(path, log)));`, 100 * 1024);

    expect(error).toMatchObject({ message: expect.stringContaining('could not be checked') });
    expect(readdirSync(folder).filter((name) => name.includes('broken'))).toEqual([]);
    const second = await open();
    expect(lines).toMatchObject([{ msg: expect.stringContaining('written anew') }]);
    expect(second.id).toBe(id);
    expect(ids.filter((each) => second.standing(each)?.hasEnded)).toHaveLength(40);
    await second.close();
  });
});
