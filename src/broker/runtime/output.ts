/** What a process writes, kept in files of bounded size: the newest is whole, older ones are numbered from 1. */
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';

export type Rotation = { bytes: number; files: number };

export const ROTATION: Rotation = { bytes: 10 * 1024 * 1024, files: 5 };

/**
 * Appends to a file and begins another at a line's end once it is full. Written synchronously: what was taken from
 * the process is in the file system before more is taken, so the death of the writer loses nothing of it.
 */
export class OutputWriter {
  private file: number;
  private size: number;

  constructor(
    private readonly path: string,
    private readonly rotation: Rotation = ROTATION,
  ) {
    this.file = openSync(path, 'a', 0o600);
    this.size = statSync(path).size;
  }

  write(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      const end = this.endOfPart(rest);
      this.append(rest.subarray(0, end));
      rest = rest.subarray(end);
      if (this.size >= this.rotation.bytes) this.rotate();
    }
  }

  close(): void {
    closeSync(this.file);
  }

  /** Up to the first line's end past the limit; a line longer than the limit itself is cut. */
  private endOfPart(chunk: Buffer): number {
    const room = this.rotation.bytes - this.size;
    if (chunk.length < room) return chunk.length;
    const lineEnd = chunk.indexOf(0x0a, Math.max(0, room - 1));
    const longest = room + this.rotation.bytes;
    return Math.min(lineEnd < 0 ? chunk.length : lineEnd + 1, Math.max(1, longest));
  }

  private append(part: Buffer): void {
    for (let written = 0; written < part.length;) written += writeSync(this.file, part, written);
    this.size += part.length;
  }

  private rotate(): void {
    closeSync(this.file);
    const { files } = this.rotation;
    rmSync(`${this.path}.${files - 1}`, { force: true });
    for (let number = files - 2; number >= 1; number -= 1) {
      if (existsSync(`${this.path}.${number}`))
        renameSync(`${this.path}.${number}`, `${this.path}.${number + 1}`);
    }
    if (files > 1) renameSync(this.path, `${this.path}.1`);
    else rmSync(this.path, { force: true });
    this.file = openSync(this.path, 'a', 0o600);
    this.size = 0;
  }
}

/**
 * The last lines over all files.
 *
 * @param most lines at most
 * @param bytes of text at most; past it the oldest lines are left out
 */
export async function lastLines(
  path: string,
  most: number,
  bytes: number,
): Promise<{ lines: string[]; truncated: boolean }> {
  let text = '';
  let hasOlder = false;
  for (let number = 0; ; number += 1) {
    const part = await tailOf(number === 0 ? path : `${path}.${number}`, bytes - Buffer.byteLength(text));
    if (part === undefined) break;
    text = part.text + text;
    hasOlder = part.hasOlder;
    if (hasOlder || text.split('\n').length > most + 1) break;
  }
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  // The first line of a cut text is the rest of one.
  if (hasOlder) lines.shift();
  return { lines: lines.slice(-most), truncated: hasOlder && lines.length < most };
}

async function tailOf(path: string, bytes: number): Promise<{ text: string; hasOlder: boolean } | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const length = Math.min(size, Math.max(0, bytes));
    const { buffer } = await file.read({ buffer: Buffer.alloc(length), position: size - length });
    return { text: buffer.toString('utf8'), hasOlder: length < size };
  } finally {
    await file.close();
  }
}
