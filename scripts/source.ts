/**
 * What no linter asks of the sources: names that say nothing, words that put something off, files that grew too long.
 *
 *     node dist/scripts/source.js    exit code 1 where something is wrong; long files are only listed
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['.ci', '.github', 'docs', 'helm', 'migrations', 'scripts', 'src', 'test'];
/** Names under which anything may be put, and nothing found again; and that of a barrel. */
const BUCKETS = /(^|\/)(common|shared|utils?|helpers?|core|index)(\.[^/]*)?(\/|$)/;
const PUT_OFF = /\b(TO[D]O|FIX[M]E|XX[X])\b/;
const LONG_LINES = 400;

/** What is in a folder that was not made here is not ours to name. */
const FOREIGN = /(^|\/)(node_modules|results)\//;

const paths = FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !FOREIGN.test(path)),
);

const faults: string[] = [];
const long: string[] = [];
for (const path of paths) {
  if (BUCKETS.test(path)) faults.push(`${path}: a name for anything; name it for what is in it`);
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.forEach((line, index) => {
    if (PUT_OFF.test(line)) faults.push(`${path}:${index + 1}: do it now, or leave it out`);
  });
  if (path.endsWith('.ts') && lines.length > LONG_LINES) long.push(`${path}: ${lines.length} lines`);
}

for (const path of long) process.stdout.write(`long: ${path}\n`);
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
