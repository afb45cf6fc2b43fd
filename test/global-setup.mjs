/**
 * One PostgreSQL for the whole test run, with a migrated template that each test file clones. It is the embedded
 * server of the built project, quick instead of durable, on a memory disk where there is one.
 *
 * A run that was killed leaves its cluster behind; the next run finds that its owner is dead and sweeps it away.
 * FAIRLEAD_TEST_PG_BIN_DIR runs the tests on another PostgreSQL, FAIRLEAD_TEST_BUILT on another build than dist.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

const PREFIX = 'fairlead-test-';
const TEMPLATE = 'fairlead_template';
const QUICK = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: 300 };

export default async function setUp() {
  const { ensureServer } = await built('src/hub/database/embedded/server.js');
  const { holderName, isHolderLive } = await built('src/hub/database/embedded/liveness.js');
  const { postmasterOf } = await built('src/hub/database/embedded/postmaster.js');
  const { migrate } = await built('src/hub/database/migrate.js');
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

  for (const name of readdirSync(base).filter((entry) => entry.startsWith(PREFIX))) {
    if (!(await isHolderLive(name.slice(PREFIX.length)))) await sweep(join(base, name), postmasterOf);
  }

  const directory = join(base, `${PREFIX}${await holderName()}`);
  mkdirSync(directory);
  // The unprivileged user that runs PostgreSQL for root goes through it, whatever the umask.
  chmodSync(directory, 0o711);
  const told = process.env.FAIRLEAD_TEST_PG_BIN_DIR;
  const server = await ensureServer({
    dataDir: directory,
    settings: QUICK,
    env: told === undefined ? {} : { PG_BIN_DIR: told },
  });
  globalThis.fairleadTestCluster = { server, directory };

  await command(server.url, `create database ${TEMPLATE}`);
  const template = new URL(server.url);
  template.pathname = `/${TEMPLATE}`;
  await migrate(template.href);
  // A template with a connection cannot be cloned; nobody, autovacuum included, is to have one.
  await command(server.url, `alter database ${TEMPLATE} with is_template true allow_connections false`);

  process.env.FAIRLEAD_TEST_ADMIN_URL = server.url;
  process.env.FAIRLEAD_TEST_TEMPLATE = TEMPLATE;
}

async function built(path) {
  const file = resolve(process.env.FAIRLEAD_TEST_BUILT ?? 'dist', path);
  if (!existsSync(file))
    throw new Error(`the tests run on the built project, and there is no ${file}: npm run build`);
  return import(pathToFileURL(file).href);
}

async function command(url, sql) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Ends the cluster of a run that was killed. Another user's is left alone: it cannot be signalled. */
async function sweep(directory, postmasterOf) {
  try {
    for (const name of readdirSync(directory).filter((entry) => /^postgres-\d+$/.test(entry))) {
      const data = join(directory, name);
      const server = await postmasterOf(data);
      if (server !== null) process.kill(server.pid, 'SIGQUIT');
      for (let turn = 0; turn < 100 && (await postmasterOf(data)) !== null; turn++) await delay(50);
    }
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'EPERM' && error.code !== 'EACCES') throw error;
  }
}
