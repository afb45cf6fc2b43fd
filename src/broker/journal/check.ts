/**
 * `node check.js <journal folder>`: ends with 0 where every record of the journal can be read, and with 3, or by a
 * signal, where not. Anything else says nothing about the journal.
 */
import { open } from 'lmdb';
import { JOURNAL_FORMAT, META_KEY, UNREADABLE } from './format.js';

process.exit((await isReadable(process.argv[2] ?? '')) ? 0 : UNREADABLE);

async function isReadable(path: string): Promise<boolean> {
  try {
    const store = open({ path, ...JOURNAL_FORMAT });
    let hasMeta = false;
    let count = 0;
    for (const { key, value } of store.getRange()) {
      count += 1;
      if (typeof value !== 'object' || value === null) return false;
      hasMeta ||= key === META_KEY;
    }
    await store.close();
    return count === 0 || hasMeta;
  } catch {
    return false;
  }
}
