import { UsageFault } from '../fault.js';
import type { Surroundings } from '../surroundings.js';

/** As much as the hub takes, and a line end. */
const LONGEST_BYTES = 64 * 1024 + 1;

/** A message as it was given, or for `-` what is piped in, without its last line end. @throws UsageFault */
export async function messageText(given: string, stdin: Surroundings['stdin']): Promise<string> {
  const text = given === '-' ? (await readAll(stdin)).replace(/\n$/, '') : given;
  if (text === '') throw new UsageFault('A message cannot be empty.');
  return text;
}

async function readAll(stdin: Surroundings['stdin']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk as Buffer | string);
    bytes += part.length;
    if (bytes > LONGEST_BYTES)
      throw new UsageFault('What was piped in is too long: a message has at most 64 KiB.');
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}
