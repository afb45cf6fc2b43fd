/**
 * docs/pitfalls.md: faults that were seen elsewhere, each with the tests that hold it out. Nothing is written or passed
 * where a test that it names is not there.
 *
 *     node dist/scripts/pitfalls.js            writes it
 *     node dist/scripts/pitfalls.js --check    exit code 1 where what is committed differs
 */
import { existsSync, readFileSync } from 'node:fs';
import { hold } from './committed.js';
import { CHAPTERS } from './pitfalls/chapters.js';
import { faultsOfPitfalls } from './pitfalls/faults.js';
import { pitfallsPage } from './pitfalls/page.js';

const faults = faultsOfPitfalls(CHAPTERS, (file) =>
  existsSync(file) ? readFileSync(file, 'utf8') : undefined,
);
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
else {
  const files = new Map([['docs/pitfalls.md', pitfallsPage(CHAPTERS)]]);
  hold({ files, writtenBy: 'npm run pitfalls:write' }, process.argv.slice(2));
}
