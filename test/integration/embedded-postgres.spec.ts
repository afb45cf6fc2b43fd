import { execFile } from 'node:child_process';
import { afterEach, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { postmasterOf } from '../../src/hub/database/embedded/postmaster.js';
import { eventually } from '../support/eventually.js';
import { ask, killServer, Scene } from './support/database-users.js';

const TIMEOUT_MS = 60_000;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? it : it.skip;

describe('the embedded PostgreSQL', () => {
  const scene = new Scene();

  afterEach(() => scene.clear(), TIMEOUT_MS);

  it(
    'is one server for three processes that race to start it',
    async () => {
      const dataDir = join(scene.directory(), 'data');

      const users = [1, 2, 3].map(() => scene.user(dataDir));
      const answers = await Promise.all(users.map((user) => user.answer));

      expect(answers.map(({ failed }) => failed)).toEqual([undefined, undefined, undefined]);
      expect(answers.filter(({ started }) => started)).toHaveLength(1);
      expect(new Set(answers.map(({ url }) => url)).size).toBe(1);
      for (const { url } of answers) {
        expect(await ask(url, 'select current_database() as name')).toEqual([{ name: 'fairlead' }]);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'runs on while anyone uses it, and stops with the last',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const [one, other] = [scene.user(dataDir), scene.user(dataDir)];
      const { url, directory } = await one.answer;
      await other.answer;

      await one.leave();
      expect(await ask(url, 'select 1 as alive')).toEqual([{ alive: 1 }]);
      await other.leave();

      expect(await postmasterOf(directory)).toBeNull();
      expect(existsSync(join(directory, 'postmaster.pid'))).toBe(false);
      expect(readdirSync(join(dataDir, 'postgres-users'))).toEqual([]);
      expect(readdirSync(join(dataDir, 'postgres-lock'))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'recovers, with what was committed, when three processes race after a kill -9 of its server',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const before = await scene.user(dataDir).answer;
      await ask(before.url, 'create table kept as select 7 as number');
      await ask(before.url, 'checkpoint');

      await killServer(before.directory);
      const answers = await Promise.all([1, 2, 3].map(() => scene.user(dataDir).answer));

      expect(answers.map(({ failed }) => failed)).toEqual([undefined, undefined, undefined]);
      expect(answers.filter(({ started }) => started)).toHaveLength(1);
      expect(await ask(answers[2]!.url, 'select number from kept')).toEqual([{ number: 7 }]);
      // The pools of processes that lived through it find the new server at the address they know.
      expect(answers[0]?.url).toBe(before.url);
    },
    TIMEOUT_MS,
  );

  it(
    'outlives a kill -9 of its starter; others attach, and the last of them stops it',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const starter = scene.user(dataDir);
      const { url, directory } = await starter.answer;

      await starter.kill();
      expect(await ask(url, 'select 1 as alive')).toEqual([{ alive: 1 }]);
      const heir = scene.user(dataDir);
      const attached = await heir.answer;
      expect(attached).toMatchObject({ url, started: false });
      await heir.leave();

      expect(await postmasterOf(directory)).toBeNull();
    },
    TIMEOUT_MS,
  );

  it(
    'does not wait for a process that was killed while it was starting the server',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const killed = scene.user(dataDir);
      await eventually(() => drafts(dataDir).length > 0, { withinMs: 20_000, everyMs: 1 });
      await killed.kill();
      expect(readdirSync(join(dataDir, 'postgres-lock'))).toHaveLength(1);

      const begun = performance.now();
      const { url, started } = await scene.user(dataDir).answer;

      expect(started).toBe(true);
      expect(performance.now() - begun).toBeLessThan(20_000);
      expect(await ask(url, 'select 1 as alive')).toEqual([{ alive: 1 }]);
    },
    TIMEOUT_MS,
  );

  it(
    'does not take what an initdb left that was killed half-way for a database',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const killed = scene.user(dataDir);
      await eventually(() => drafts(dataDir).some((draft) => existsSync(join(draft, 'data', 'PG_VERSION'))), {
        withinMs: 20_000,
        everyMs: 1,
      });
      await killed.kill();
      for (const pid of await processesNaming(dataDir)) tryKill(pid);
      expect(drafts(dataDir)).toHaveLength(1);

      const { url, started } = await scene.user(dataDir).answer;

      expect(started).toBe(true);
      expect(await ask(url, 'select 1 as alive')).toEqual([{ alive: 1 }]);
      expect(drafts(dataDir)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'removes what an initdb left also beside a whole database',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const first = scene.user(dataDir);
      const { directory } = await first.answer;
      await first.leave();
      mkdirSync(`${directory}.new-left`);
      expect(drafts(dataDir)).toHaveLength(1);

      const { started } = await scene.user(dataDir).answer;

      expect(started).toBe(true);
      expect(drafts(dataDir)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'keeps two data directories apart',
    async () => {
      const directory = scene.directory();
      const [one, other] = [scene.user(join(directory, 'one')), scene.user(join(directory, 'other'))];
      const [first, second] = await Promise.all([one.answer, other.answer]);
      await ask(first.url, 'create table mine as select 1 as number');

      expect(second.port).not.toBe(first.port);
      await expect(ask(second.url, 'select from mine')).rejects.toThrow('does not exist');
      await expect(ask(first.url.replace(`:${first.port}/`, `:${second.port}/`), 'select 1')).rejects.toThrow(
        'password authentication failed',
      );
      await one.leave();

      expect(await ask(second.url, 'select 1 as alive')).toEqual([{ alive: 1 }]);
    },
    TIMEOUT_MS,
  );

  it(
    'is durable by default, closed to those without the password, and on loopback alone',
    async () => {
      const dataDir = join(scene.directory(), 'data');

      const { url, directory } = await scene.user(dataDir, { durable: true }).answer;

      const shown = await ask(
        url,
        `select name, setting from pg_settings
          where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses',
                         'unix_socket_directories', 'max_connections') order by name`,
      );
      expect(Object.fromEntries(shown.map(({ name, setting }) => [name, setting]))).toEqual({
        fsync: 'on',
        full_page_writes: 'on',
        listen_addresses: '127.0.0.1',
        max_connections: '200',
        synchronous_commit: 'on',
        unix_socket_directories: '',
      });
      const { password } = new URL(url);
      await expect(ask(url.replace(password, 'guessed'), 'select 1')).rejects.toThrow(
        'authentication failed',
      );
      expect(readFileSync(join(dataDir, 'secrets', 'database-password'), 'utf8').trim()).toBe(password);
      expect(statSync(join(dataDir, 'secrets')).mode & 0o777).toBe(0o700);
      expect(statSync(directory).mode & 0o077).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'names DATABASE_URL and PG_BIN_DIR where there are no programs to run',
    async () => {
      const answer = await scene.user(join(scene.directory(), 'data'), { env: { PG_BIN_DIR: '/nowhere' } })
        .answer;

      expect(answer.code).toBe('binaries_missing');
      expect(answer.failed).toContain('DATABASE_URL');
      expect(answer.failed).toContain('PG_BIN_DIR');
    },
    TIMEOUT_MS,
  );

  it(
    'says so, without the password, where the password is not the one of the database',
    async () => {
      const dataDir = join(scene.directory(), 'data');
      const first = scene.user(dataDir);
      const { url } = await first.answer;
      rmSync(join(dataDir, 'secrets', 'database-password'));

      const answer = await scene.user(dataDir).answer;

      expect(answer.code).toBe('password_refused');
      const made = readFileSync(join(dataDir, 'secrets', 'database-password'), 'utf8').trim();
      expect(made).not.toBe(new URL(url).password);
      expect(answer.failed).not.toContain(made);
    },
    TIMEOUT_MS,
  );

  asRoot(
    'runs as an unprivileged user for root',
    async () => {
      const { directory } = await scene.user(join(scene.directory(), 'data')).answer;

      expect(statSync(directory).uid).not.toBe(0);
      const server = await postmasterOf(directory);
      expect(statSync(`/proc/${server?.pid}`).uid).toBe(statSync(directory).uid);
    },
    TIMEOUT_MS,
  );

  asRoot(
    'is served to a user without privileges',
    async () => {
      const directory = scene.directory();
      chmodSync(directory, 0o777);

      const user = scene.user(join(directory, 'data'), { uid: NOBODY });
      const { url, directory: data } = await user.answer;

      expect(statSync(data).uid).toBe(NOBODY);
      expect(await ask(url, 'select 1 as alive')).toEqual([{ alive: 1 }]);
      await user.leave();
      expect(await postmasterOf(data)).toBeNull();
    },
    TIMEOUT_MS,
  );

  asRoot(
    'goes elsewhere, says so and finds it again where its user cannot enter the data directory',
    async () => {
      const closed = join(scene.directory(), 'home');
      mkdirSync(closed, { mode: 0o700 });
      const dataDir = join(closed, 'data');

      const first = scene.user(dataDir);
      const answer = await first.answer;
      await ask(answer.url, 'create table kept as select 7 as number');
      await first.leave();
      const again = await scene.user(dataDir).answer;

      try {
        expect(answer.directory.startsWith(closed)).toBe(false);
        expect(answer.logged).toEqual([expect.stringContaining('cannot enter')]);
        expect(again.directory).toBe(answer.directory);
        expect(await ask(again.url, 'select number from kept')).toEqual([{ number: 7 }]);
      } finally {
        await killServer(answer.directory, 'SIGQUIT');
        rmSync(join(answer.directory, '..'), { recursive: true, force: true });
      }
    },
    TIMEOUT_MS,
  );

  asRoot(
    'refuses, and does not begin anew, where a database exists that its user can no longer reach',
    async () => {
      const parent = scene.directory();
      const first = scene.user(join(parent, 'data'));
      await first.answer;
      await first.leave();
      chmodSync(parent, 0o700);

      const answer = await scene.user(join(parent, 'data')).answer;

      expect(answer.code).toBe('place_unusable');
    },
    TIMEOUT_MS,
  );
});

/** The directories of initializations that are under way, or were killed. */
function drafts(dataDir: string): string[] {
  if (!existsSync(dataDir)) return [];
  return readdirSync(dataDir)
    .filter((name) => name.includes('.new-'))
    .map((name) => join(dataDir, name));
}

async function processesNaming(text: string): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,args=']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => Number(line.trim().split(' ')[0]));
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended in between.
  }
}
