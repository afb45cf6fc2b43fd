import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { postmasterOf } from '../../../src/hub/database/embedded/postmaster.js';
import { eventually } from '../../support/eventually.js';
import { memoryFolder } from '../../support/memory-folder.js';

export type Answer = {
  url: string;
  port: number;
  started: boolean;
  directory: string;
  logged: string[];
  failed?: string;
  code?: string;
};
export type Options = {
  settings?: Record<string, string>;
  env?: Record<string, string>;
  uid?: number;
  /** Settings as in production; otherwise the tests' quick ones. */
  durable?: boolean;
};

const BUILT = resolve(process.env['FAIRLEAD_TEST_BUILT'] ?? 'dist', 'src/hub/database/embedded/server.js');
const SCRIPT = resolve('test/integration/support/database-user.mjs');
const QUICK = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '16MB' };

/** A process of its own that asks for the embedded database and holds it until told otherwise. */
export class DatabaseUser {
  readonly answer: Promise<Answer>;

  constructor(
    readonly process: ChildProcess,
    readonly dataDir: string,
  ) {
    this.answer = once(process, 'message').then(([message]) => message as Answer);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Lets go and ends, as a hub does that is told to. */
  async leave(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.send('release');
    await ended;
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }
}

/** Data directories and the processes that use them, all of which are gone after `clear`. */
export class Scene {
  private readonly users: DatabaseUser[] = [];
  private readonly directories: string[] = [];

  /** A directory that every user of the machine may enter, on a memory disk where there is one. */
  directory(): string {
    const path = memoryFolder('fairlead-embedded-');
    chmodSync(path, 0o755);
    this.directories.push(path);
    return path;
  }

  user(dataDir: string, { settings, env, uid, durable = false }: Options = {}): DatabaseUser {
    const options = {
      settings: { ...(durable ? {} : QUICK), ...settings },
      ...(env === undefined ? {} : { env }),
    };
    const child = fork(SCRIPT, [pathToFileURL(BUILT).href, dataDir, JSON.stringify(options)], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const user = new DatabaseUser(child, dataDir);
    this.users.push(user);
    return user;
  }

  async clear(): Promise<void> {
    for (const user of this.users.splice(0)) await user.kill();
    for (const directory of this.directories.splice(0)) {
      for (const data of clustersBelow(directory)) await killServer(data, 'SIGQUIT');
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

/** Kills a database's server, with -9 unless told to let it clean up its shared memory, and waits until it is gone. Answers which process it was. */
export async function killServer(
  data: string,
  signal: 'SIGKILL' | 'SIGQUIT' = 'SIGKILL',
): Promise<number | undefined> {
  const server = await postmasterOf(data);
  if (server === null) return undefined;
  process.kill(server.pid, signal);
  await eventually(async () => (await postmasterOf(data)) === null);
  return server.pid;
}

/** Asks the database one question. */
export async function ask<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The databases below a scene's directory, and those that stand in for one elsewhere. */
function clustersBelow(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const elsewhere = names
    .filter((name) => basename(name) === 'postgres-at')
    .map((name) => readFileSync(join(directory, name), 'utf8').trim())
    .filter((home) => existsSync(home))
    .flatMap((home) => readdirSync(home).map((name) => join(home, name)));
  return [...names.map((name) => join(directory, name)), ...elsewhere].filter((path) =>
    /^postgres-\d+$/.test(basename(path)),
  );
}
