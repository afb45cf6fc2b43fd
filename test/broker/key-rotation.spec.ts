import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { joinBroker } from '../../src/broker/join.js';
import { thumbprintOf } from '../../src/hub/auth/ed25519.js';
import { Api } from '../support/api.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD, HubProcess } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { Way, type Moment } from '../support/way.js';

const TOKEN = '/api/v1/brokers/token';
const ROTATE = '/api/v1/brokers/rotate-key';
const NAME = 'rotated';
const DAYS_MS = 86_400_000;

describe('a broker whose key is rotated', () => {
  let database: TestDatabase;
  let hub: HubProcess;
  let api: Api;
  let way: Way;
  let home: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    hub = await HubProcess.start(database.url);
    api = new Api(hub.url, String(hub.administratorToken));
    way = await Way.open(hub.url);
    home = memoryFolder('fairlead-broker-');
    const { token } = (await api.post('/api/v1/join-tokens', {})).body;
    await joinBroker({ home, urls: [way.url], token, name: NAME });
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
  });

  afterAll(async () => {
    await way.close();
    await hub.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    await database.drop();
    await expectNoLeaks();
  });

  const fileOf = (name: string) => join(home, name);
  const keyIn = (name: string) =>
    thumbprintOf((JSON.parse(readFileSync(fileOf(name), 'utf8')) as { x: string }).x);
  const told = async () => (await api.get(`/api/v1/brokers/${NAME}`)).body;
  /** So that it is to be rotated by its age. */
  const makeOld = () => {
    const longAgo = new Date(Date.now() - 91 * DAYS_MS);
    utimesSync(fileOf('key.jwk'), longAgo, longAgo);
  };
  const settled = (former: string) =>
    eventually(
      async () => {
        if (existsSync(fileOf('key.next.jwk')) || keyIn('key.jwk') === former) return false;
        const { key } = await told();
        return key.thumbprint === keyIn('key.jwk') && key.waiting === null;
      },
      { withinMs: 30_000, everyMs: 50 },
    );
  const run = async (...words: string[]) => {
    const child = spawn(process.execPath, [FAIRLEAD, 'broker', ...words, '--home', home, '--json'], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    let out = '';
    child.stdout?.on('data', (part: Buffer) => (out += part.toString()));
    const [code] = await once(child, 'close');
    return { code: code as number | null, out };
  };

  const start = () => {
    const child = spawn(process.execPath, [FAIRLEAD, 'broker', 'start', '--home', home], {
      env: { PATH: process.env.PATH },
      stdio: 'ignore',
    });
    children.push(child);
    return child;
  };
  const epoch = async (): Promise<number> => (await told()).ownership?.epoch ?? 0;
  const linkedAfter = (before: number) =>
    eventually(async () => (await epoch()) > before, { withinMs: 60_000, everyMs: 50 });
  /** Of a hub that has been offered the newer key. */
  const isByNewer = (body: string) => {
    if (!way.answered.has(ROTATE) || !existsSync(fileOf('key.next.jwk'))) return false;
    const { client_assertion: assertion } = JSON.parse(body) as { client_assertion: string };
    const [header, claims, signature = ''] = assertion.split('.');
    const { kty, crv, x } = JSON.parse(readFileSync(fileOf('key.next.jwk'), 'utf8')) as JsonWebKey;
    const newer = createPublicKey({ key: { kty, crv, x } as JsonWebKey, format: 'jwk' });
    return verify(null, Buffer.from(`${header}.${claims}`), newer, Buffer.from(signature, 'base64url'));
  };

  it.each<[string, Moment]>([
    ['as its access token is asked for', { path: TOKEN, of: 'request' }],
    ['before it has read its access token', { path: TOKEN, of: 'answer' }],
    ['as it offers the newer key', { path: ROTATE, of: 'request' }],
    ['before it knows that the hub was told of the newer key', { path: ROTATE, of: 'answer' }],
    ['as it uses the newer key for the first time', { path: TOKEN, of: 'request', isIt: isByNewer }],
    ['before it knows that the key before has ended', { path: TOKEN, of: 'answer', isIt: isByNewer }],
  ])('and which is killed with -9 %s comes back by itself, with one key', async (_when, moment) => {
    const former = keyIn('key.jwk');
    way.answered.clear();
    makeOld();
    const reached = way.at(moment);
    const killed = start();
    await reached;
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    const before = await epoch();

    start();

    await linkedAfter(before);
    await settled(former);
  });

  it('keeps its link, and opens the next one by the newer key', async () => {
    const last = await epoch();
    start();
    await linkedAfter(last);
    const before = await told();
    const former = keyIn('key.jwk');

    const { code, out } = await run('rotate-key');

    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ name: NAME, key: keyIn('key.jwk'), formerKey: former });
    expect(statSync(fileOf('key.jwk')).mode & 0o777).toBe(0o600);
    const after = await told();
    expect(after.ownership).toMatchObject({ epoch: before.ownership.epoch, releasedAt: null });
    expect([before.key.thumbprint, after.key.thumbprint]).toEqual([former, keyIn('key.jwk')]);
    await api.post(`/api/v1/brokers/${NAME}/kick`, {});
    await linkedAfter(before.ownership.epoch);
  });

  it('leaves a hub that is away as it was, and says so', async () => {
    const former = keyIn('key.jwk');
    await way.close();

    const { code, out } = await run('rotate-key');

    expect(code).toBe(7);
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'hub_unreachable' } });
    expect(keyIn('key.jwk')).toBe(former);
    expect((await told()).key).toMatchObject({ thumbprint: former, waiting: null });
  });
});
