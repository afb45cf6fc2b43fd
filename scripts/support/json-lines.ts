import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @returns the path of what was written, an object a line */
export function writeLines(folder: string, name: string, lines: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}

/** What a program wrote a line at a time; the last line may be cut short where it was killed. */
export function readLines<T>(path: string): T[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n');
  const isWhole = text.endsWith('\n') || text === '';
  const whole = (isWhole ? lines : lines.slice(0, -1)).filter((line) => line !== '');
  return whole.map((line) => JSON.parse(line) as T);
}
