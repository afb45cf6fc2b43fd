import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Malformed, reading } from '../proof/malformed.js';

/**
 * The values of a file that has one JSON document a line; empty lines are passed over.
 *
 * @yields each value, and what to name where it cannot be read: the file and the line
 * @throws Malformed for a file that is not there, or a line that is no JSON
 */
export async function* readLines(path: string): AsyncGenerator<{ value: unknown; where: string }> {
  const stream = createReadStream(path, { encoding: 'utf8' });
  let number = 0;
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() === '') continue;
      const where = `${path}, line ${number}`;
      yield { value: reading(where, () => JSON.parse(line) as unknown), where };
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EISDIR' && code !== 'EACCES') throw error;
    throw new Malformed(`${path} cannot be read: ${code}`, { cause: error });
  } finally {
    stream.destroy();
  }
}
