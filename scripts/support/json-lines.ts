import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const FLUSH_BYTES = 1 << 20;

/** A file of objects, one a line, of which no more is held than a part. */
export class LinesFile {
  readonly path: string;
  private readonly file: number;
  private held = '';

  constructor(folder: string, name: string) {
    this.path = join(folder, name);
    this.file = openSync(this.path, 'w');
  }

  write(line: object): void {
    this.held += `${JSON.stringify(line)}\n`;
    if (this.held.length >= FLUSH_BYTES) this.flush();
  }

  close(): void {
    this.flush();
    closeSync(this.file);
  }

  private flush(): void {
    writeSync(this.file, this.held);
    this.held = '';
  }
}

/** @returns the path of what was written, an object a line */
export function writeLines(folder: string, name: string, lines: readonly object[]): string {
  const file = new LinesFile(folder, name);
  for (const line of lines) file.write(line);
  file.close();
  return file.path;
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
