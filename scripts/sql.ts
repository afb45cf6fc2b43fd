/**
 * Every SQL statement of the hub as text: one file in docs/sql for each file of the code that declares some. What a
 * change does to the statements is then seen in its review, and not guessed from strings.
 *
 *     node dist/scripts/sql.js            writes them
 *     node dist/scripts/sql.js --check    exit code 1 where what is committed differs
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { knownStatements, type Statement } from '../src/hub/database/statement.js';
import { hold } from './committed.js';

const HUB = fileURLToPath(new URL('../src/hub/', import.meta.url));
const FOLDER = 'docs/sql';
const DECLARED = /\bstatement\(\s*['"`](\w+)['"`]/g;

/** The names that each file declares. Files that declare none are not loaded. */
function declarations(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const files = readdirSync(HUB, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.js$/.test(name) && !/\.spec\.js$/.test(name))
    .sort();
  for (const name of files) {
    const names = [...readFileSync(join(HUB, name), 'utf8').matchAll(DECLARED)].flatMap(([, found]) =>
      found === undefined ? [] : [found],
    );
    if (names.length > 0) found.set(name, names);
  }
  return found;
}

/** `dispatch/claim.repository.js` is kept in `docs/sql/dispatch-claim.sql`. */
function pathOf(file: string): string {
  const module = dirname(file).replaceAll('/', '-');
  return join(FOLDER, `${module}-${basename(file).split('.')[0] ?? ''}.sql`);
}

function render(file: string, statements: readonly Statement[]): string {
  const head = `-- src/hub/${file.replace(/\.js$/, '.ts')}`;
  return [head, ...statements.map(({ name, text }) => `-- ${name}\n${text};`)].join('\n\n') + '\n';
}

const declared = declarations();
for (const file of declared.keys()) await import(pathToFileURL(join(HUB, file)).href);
const known = new Map(knownStatements().map((statement) => [statement.name, statement]));

const files = new Map<string, string>();
for (const [file, names] of declared) {
  const path = pathOf(file);
  if (files.has(path)) throw new Error(`two files of the code would share ${path}`);
  const statements = names.flatMap((name) => known.get(name) ?? []);
  files.set(path, render(file, statements));
  for (const name of names) known.delete(name);
}
if (known.size > 0) {
  // A name that is computed cannot be found by the reader of the code either.
  throw new Error(`declared without a literal name: ${[...known.keys()].join(', ')}`);
}

hold({ folder: FOLDER, files, writtenBy: 'npm run sql:write' }, process.argv.slice(2));
