import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Files of the repository that are made from the code: their paths, and what they must hold. */
export type Committed = {
  /** Where nothing else may lie; undefined where the files share their folder with others. */
  folder?: string;
  files: ReadonlyMap<string, string>;
  /** The command that writes them. */
  writtenBy: string;
};

/**
 * Writes the files, or with `--check` compares them with what is committed. A difference is told by the file and
 * its first line that differs, and sets the exit code to 1.
 */
export function hold(committed: Committed, args: readonly string[]): void {
  if (!args.includes('--check')) {
    write(committed);
    return;
  }
  const faults = differences(committed);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) {
    process.stderr.write(`the code says otherwise: ${committed.writtenBy}\n`);
    process.exitCode = 1;
  }
}

function write(committed: Committed): void {
  for (const path of stale(committed)) rmSync(path);
  for (const [path, content] of committed.files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

function differences(committed: Committed): string[] {
  const faults = stale(committed).map((path) => `${path}: nothing in the code makes it`);
  for (const [path, content] of committed.files) {
    if (!existsSync(path)) faults.push(`${path}: missing`);
    else faults.push(...firstDifference(path, readFileSync(path, 'utf8'), content));
  }
  return faults;
}

function firstDifference(path: string, found: string, wanted: string): string[] {
  if (found === wanted) return [];
  const foundLines = found.split('\n');
  const wantedLines = wanted.split('\n');
  const index = wantedLines.findIndex((line, at) => line !== foundLines[at]);
  const at = index === -1 ? wantedLines.length : index;
  return [
    `${path}:${at + 1}: differs\n  - ${foundLines[at] ?? '(its end)'}\n  + ${wantedLines[at] ?? '(its end)'}`,
  ];
}

/** What lies in the folder and is made by nothing any more. */
function stale({ folder, files }: Committed): string[] {
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => !files.has(path));
}
