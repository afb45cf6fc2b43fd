/** What a process writes, kept in files of bounded size: the newest is whole, older ones are numbered from 1. */
import { closeSync, existsSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';

export const OUTPUT_NAME = 'output.log';

/** Whether a name in a run's folder is that of its output, the newest part or an older one. */
export function isOutput(name: string | null): boolean {
  return name?.startsWith(OUTPUT_NAME) === true;
}

export type Rotation = { bytes: number; files: number };

const ROTATION: Rotation = { bytes: 10 * 1024 * 1024, files: 5 };

/**
 * Appends to a file and begins another at a line's end once it is full. Written synchronously: what was taken from
 * the process is in the file system before more is taken, so the death of the writer loses nothing of it. A disk
 * that takes nothing costs output, never the process; how much is written down once there is room again.
 */
export class OutputWriter {
  private file: number;
  private size: number;
  private isAtLineEnd = true;
  private lostBytes = 0;

  constructor(
    private readonly path: string,
    private readonly rotation: Rotation = ROTATION,
  ) {
    this.file = openSync(path, 'a', 0o600);
    this.size = statSync(path).size;
  }

  write(chunk: Buffer): void {
    let rest = chunk;
    try {
      // Where the last try to begin another file failed.
      if (this.isFull()) this.rotate();
      if (this.lostBytes > 0) this.tellOfLoss();
      while (rest.length > 0) {
        const end = this.endOfPart(rest);
        this.append(rest.subarray(0, end));
        rest = rest.subarray(end);
        if (this.isFull()) this.rotate();
      }
    } catch {
      this.lostBytes += rest.length;
    }
  }

  close(): void {
    closeSync(this.file);
  }

  /** Up to the first line's end past the limit; a line that goes on for as long again is cut. */
  private endOfPart(chunk: Buffer): number {
    const room = this.rotation.bytes - this.size;
    const lineEnd = chunk.indexOf(0x0a, Math.max(0, room - 1));
    const longest = Math.max(1, room + this.rotation.bytes);
    return Math.min(lineEnd < 0 ? chunk.length : lineEnd + 1, longest);
  }

  private isFull(): boolean {
    const { bytes } = this.rotation;
    return this.size >= 2 * bytes || (this.size >= bytes && this.isAtLineEnd);
  }

  private append(part: Buffer): void {
    for (let written = 0; written < part.length;) written += writeSync(this.file, part, written);
    this.size += part.length;
    this.isAtLineEnd = part.at(-1) === 0x0a;
  }

  private tellOfLoss(): void {
    const note = `${this.isAtLineEnd ? '' : '\n'}[fairlead: ${this.lostBytes} bytes could not be written]\n`;
    this.append(Buffer.from(note));
    this.lostBytes = 0;
  }

  /** The older files make room once: where the new one cannot be opened, the next write tries that alone. */
  private rotate(): void {
    if (existsSync(this.path)) this.shift();
    const next = openSync(this.path, 'a', 0o600);
    closeSync(this.file);
    this.file = next;
    this.size = 0;
  }

  /** Only up to the first number that is free, so that one that broke off gives up no file when it is done again. */
  private shift(): void {
    const oldest = this.rotation.files - 1;
    const place = (number: number) => (number === 0 ? this.path : `${this.path}.${number}`);
    let free = 1;
    while (free < oldest && existsSync(place(free))) free += 1;
    if (oldest === 0) rmSync(this.path, { force: true });
    else for (let number = free; number >= 1; number -= 1) renameSync(place(number - 1), place(number));
  }
}

/**
 * The last lines over all files.
 *
 * @param most lines at most
 * @param bytes of JSON that the lines may make; past it the oldest are left out
 */
export async function lastLines(
  path: string,
  most: number,
  bytes: number,
): Promise<{ lines: string[]; truncated: boolean }> {
  let tail = Buffer.alloc(0);
  let hasOlder = false;
  for (let number = 0; ; number += 1) {
    const part = await tailOf(number === 0 ? path : `${path}.${number}`, bytes - tail.length);
    if (part === undefined) break;
    tail = Buffer.concat([part.content, tail]);
    hasOlder = part.hasOlder;
    if (hasOlder || countLines(tail) > most) break;
  }
  const lines = tail.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  // The first line of a cut text is the rest of one.
  if (hasOlder) lines.shift();
  const wanted = lines.slice(-most);
  const fitting = wanted.slice(firstFitting(wanted, bytes));
  const isCut = hasOlder && lines.length < most;
  return { lines: fitting, truncated: isCut || fitting.length < wanted.length };
}

/** Where to begin so that what follows fits: a control character takes six bytes of JSON. */
function firstFitting(lines: readonly string[], bytes: number): number {
  let left = bytes;
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    left -= Buffer.byteLength(JSON.stringify(lines[index])) + 1;
    if (left < 0) return index + 1;
  }
  return 0;
}

function countLines(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(0x0a); at >= 0; at = text.indexOf(0x0a, at + 1)) count += 1;
  return count;
}

/** The files that there are and their sizes, the newest first. */
export async function outputFiles(path: string): Promise<{ name: string; bytes: number }[]> {
  const files: { name: string; bytes: number }[] = [];
  for (let number = 0; ; number += 1) {
    const name = number === 0 ? OUTPUT_NAME : `${OUTPUT_NAME}.${number}`;
    const found = await stat(number === 0 ? path : `${path}.${number}`).catch(() => undefined);
    if (found === undefined) return files;
    files.push({ name, bytes: found.size });
  }
}

async function tailOf(
  path: string,
  bytes: number,
): Promise<{ content: Buffer; hasOlder: boolean } | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const length = Math.min(size, Math.max(0, bytes));
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(length), position: size - length });
    return { content: buffer.subarray(0, bytesRead), hasOlder: length < size };
  } finally {
    await file.close();
  }
}
