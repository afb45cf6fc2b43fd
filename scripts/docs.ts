/**
 * Does what the documents tell the reader to do. Each block of commands in README.md, CONTRIBUTING.md and docs is run,
 * a document from top to bottom in a folder like a fresh clone, as `docs/marker.ts` says; examples that are only shown
 * must be such as the command line takes.
 *
 *     node dist/scripts/docs.js [file...]    exit code 1 where something is wrong
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultsOfExamples } from './docs/examples.js';
import { commandsOf, readPage, type Page } from './docs/page.js';
import { Story } from './docs/story.js';

const FRONT = ['README.md', 'CONTRIBUTING.md'];
const FOLDER = 'docs';
/** What newcomers follow from top to bottom: nothing in it is left to them to try first. */
const FOLLOWED = ['README.md', 'docs/quickstart.md', 'docs/install.md'];

const given = process.argv.slice(2);
const paths = given.length > 0 ? given : [...FRONT.filter((path) => existsSync(path)), ...inFolder()];
const faults: string[] = [];
const notRun: string[] = [];
let story: Story | undefined;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // What a document has begun is in process groups of its own, which no Ctrl-C reaches.
    void (story?.end() ?? Promise.resolve()).finally(() => process.exit(1));
  });
}

for (const path of paths) {
  const text = readFileSync(path, 'utf8');
  const page = readPage(path, text);
  faults.push(...page.faults, ...untried(page), ...(await faultsOfExamples(path, text)));
  if (page.faults.length > 0 || commandsOf(page).length === 0) continue;
  const beganAt = performance.now();
  story = await Story.of(page);
  faults.push(...(await story.tell()));
  notRun.push(...story.notRun);
  const seconds = ((performance.now() - beganAt) / 1000).toFixed(1);
  process.stdout.write(`${path}: ${story.ran} blocks run in ${seconds} s\n`);
}

for (const reason of notRun) process.stdout.write(`not run: ${reason}\n`);
process.stdout.write(`${paths.length} documents, ${notRun.length} blocks not run\n`);
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;

function untried(page: Page): string[] {
  if (!FOLLOWED.includes(page.path)) return [];
  return commandsOf(page)
    .filter(({ markers }) => markers.some(({ kind }) => kind === 'skip'))
    .map(({ line }) => `${page.path}:${line}: newcomers follow this page, and nobody runs this block`);
}

function inFolder(): string[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(FOLDER, name))
    .sort();
}
