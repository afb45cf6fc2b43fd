/** `node check.js <journal folder>`: ends with 0 where every record of the journal can be read. */
import { open } from 'lmdb';
import { JOURNAL_FORMAT, META_KEY } from './format.js';

const store = open({ path: process.argv[2] ?? '', ...JOURNAL_FORMAT });
let hasMeta = false;
let count = 0;
for (const { key, value } of store.getRange()) {
  count += 1;
  if (typeof value !== 'object' || value === null) process.exit(2);
  hasMeta ||= key === META_KEY;
}
await store.close();
process.exit(count === 0 || hasMeta ? 0 : 3);
