import { readFile } from 'node:fs/promises';

const PAGE_BYTES = 4096;

/** How long a file is without the zeros that were put at its end to be written over, in bytes: whole pages. */
export async function writtenLength(path: string): Promise<number> {
  const bytes = await readFile(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return Math.min(bytes.length, Math.ceil(end / PAGE_BYTES) * PAGE_BYTES);
}
