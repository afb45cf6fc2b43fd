/**
 * `node check.js <journal folder>`: ends with 0 where every record of the journal can be read, and with 3, or by a
 * signal, where not, unless it has said that all was read. Anything else says nothing about the journal.
 *
 * A file that was cut may lack nothing but pages that no record is in. Whoever writes to it goes by those all the same, as by a list of
 * what is free, and breaks it for good or ends by a signal. So its records are written to a file of their own, and it ends with 4.
 */
import { rmSync, statSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import {
  ALL_READ,
  anewOf,
  DATA_FILE,
  JOURNAL_FORMAT,
  META_KEY,
  saidOf,
  UNREADABLE,
  WRITTEN_ANEW,
  type Store,
} from './format.js';
import { Room } from './room.js';

process.exit(await check(process.argv[2] ?? ''));

async function check(path: string): Promise<number> {
  try {
    const store: Store = open({ path, ...JOURNAL_FORMAT });
    let hasMeta = false;
    let count = 0;
    for (const { key, value } of store.getRange()) {
      count += 1;
      const record: unknown = JSON.parse(value);
      if (typeof record !== 'object' || record === null) return UNREADABLE;
      hasMeta ||= key === META_KEY;
    }
    const { entryCount, lastPageNumber, pageSize } = saidOf(store);
    // Where a page on the way to records is broken they are passed over without a word.
    if (count !== entryCount || (count > 0 && !hasMeta)) return UNREADABLE;
    const isShort = statSync(join(path, DATA_FILE)).size < (lastPageNumber + 1) * pageSize;
    if (isShort) {
      writeSync(process.stdout.fd, ALL_READ);
      await writeAnew(store, anewOf(path));
    }
    await store.close();
    return isShort ? WRITTEN_ANEW : 0;
  } catch (error) {
    if (isOfTheSystem(error)) throw error;
    return UNREADABLE;
  }
}

async function writeAnew(store: Store, path: string): Promise<void> {
  const remove = () => rmSync(path, { recursive: true, force: true });
  remove();
  try {
    const anew: Store = open({ path, ...JOURNAL_FORMAT });
    new Room(path, () => saidOf(anew)).holdAllOf(saidOf(store));
    anew.transactionSync(() => {
      for (const { key, value } of store.getRange()) anew.putSync(key, value);
    });
    await anew.close();
  } catch (error) {
    // It has taken what was left of the disk.
    remove();
    throw error;
  }
}

/** That there is no memory, no file to be had or no word from the disk says nothing of what the journal holds. */
function isOfTheSystem(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // LMDB's own codes are below 0. What a broken file asks of the system is refused as invalid.
  return (
    typeof code === 'string' || (typeof code === 'number' && code > 0 && code !== constants.errno.EINVAL)
  );
}
