import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { knownStatements, type Statement } from '../../src/hub/database/statement.js';

const HUB = fileURLToPath(new URL('../../src/hub/', import.meta.url));

/** Every statement of the built hub, by its name. */
export async function hubStatements(): Promise<ReadonlyMap<string, Statement>> {
  const files = readdirSync(HUB, { recursive: true, encoding: 'utf8' }).filter((name) => /\.js$/.test(name));
  for (const name of files) {
    if (/\bstatement\(\s*['"`]\w/.test(readFileSync(join(HUB, name), 'utf8'))) {
      await import(pathToFileURL(join(HUB, name)).href);
    }
  }
  return new Map(knownStatements().map((statement) => [statement.name, statement]));
}
