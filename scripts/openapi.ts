/**
 * docs/openapi.json: the description of the public API as a hub serves it, without the version of a build.
 *
 *     node dist/scripts/openapi.js            writes it
 *     node dist/scripts/openapi.js --check    exit code 1 where what is committed differs
 */
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { readConfig } from '../src/hub/config/hub-config.js';
import { DatabaseServer } from '../src/hub/database/server.js';
import { makeHub } from '../src/hub/hub.js';
import { openApiOf } from '../src/hub/openapi.js';
import { hold } from './committed.js';
import { withScratchDatabase } from './scratch-server.js';

/** The hub is made and never listens: its routes are known once it is put together. */
async function describeHub(databaseUrl: string): Promise<unknown> {
  const app = await makeHub(
    readConfig({
      DATABASE_URL: databaseUrl,
      FAIRLEAD_SEAL_KEYS: randomBytes(32).toString('hex'),
      FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
      FAIRLEAD_LOG_LEVEL: 'silent',
    }),
  );
  try {
    await app.init();
    const document = await openApiOf(app);
    return { ...document, info: { ...document.info, version: '0' } };
  } finally {
    await app.close();
    await app.get(DataSource).destroy();
    await app.get(DatabaseServer).close();
  }
}

/** The order in which modules are loaded is no part of the API. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, ordered(member)]));
}

const description = await withScratchDatabase(describeHub);
const content = `${JSON.stringify(ordered(description), undefined, 2)}\n`;
hold(
  { files: new Map([['docs/openapi.json', content]]), writtenBy: 'npm run openapi:write' },
  process.argv.slice(2),
);
