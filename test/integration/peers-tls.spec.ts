import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { request as requestOverTls } from 'node:https';
import { connect as connect2, type ClientHttp2Session } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LINK_PATH } from '../../src/hub/cluster/peers/paths.js';
import { INTERNAL_TLS_NAME, secureContextOptions, type Pems } from '../../src/hub/config/internal-tls.js';
import { CodedError } from '../../src/hub/problems/coded.error.js';
import { Authority } from '../../scripts/support/certificates.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { Peer } from '../support/peer.js';

const SECRET = randomBytes(32).toString('hex');
const HOUR_MS = 3_600_000;
const SOON_MS = 5_000;

describe('replicas that show each other certificates', () => {
  const authority = new Authority();
  const other = new Authority();
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-tls-'));
  const sessions: ClientHttp2Session[] = [];
  const all: Peer[] = [];
  let database: TestDatabase;
  let a: Peer;
  let b: Peer;
  /** Both take TLS, and can do without it. */
  let changing: Peer;
  let plain: Peer;
  let strange: Peer;
  let renewing: Peer;

  const variables = ({ cert, key, ca }: Pems) => ({
    FAIRLEAD_INTERNAL_TLS_CERT: cert,
    FAIRLEAD_INTERNAL_TLS_KEY: key,
    FAIRLEAD_INTERNAL_TLS_CA: ca,
  });
  const write = ({ cert, key, ca }: Pems) => {
    for (const [name, text] of Object.entries({ cert, key, ca })) writeFileSync(join(folder, name), text);
  };
  const start = async (env: Record<string, string>) => {
    const peer = await Peer.start(database.url, { FAIRLEAD_CLUSTER_SECRET: SECRET, ...env });
    all.push(peer);
    return peer;
  };

  beforeAll(async () => {
    database = await createDatabase();
    write(authority.sign());
    [a, b, changing, plain, strange, renewing] = await Promise.all([
      start(variables(authority.sign())),
      start(variables(authority.below().sign())),
      start({ ...variables(authority.sign()), FAIRLEAD_INTERNAL_TLS: 'accept' }),
      start({}),
      start(variables(other.sign())),
      start({
        FAIRLEAD_INTERNAL_TLS_CERT_FILE: join(folder, 'cert'),
        FAIRLEAD_INTERNAL_TLS_KEY_FILE: join(folder, 'key'),
        FAIRLEAD_INTERNAL_TLS_CA_FILE: join(folder, 'ca'),
      }),
    ]);
  });

  afterAll(async () => {
    for (const session of sessions) session.destroy();
    await Promise.all(all.map((peer) => peer.stop()));
    await database.drop();
    rmSync(folder, { recursive: true });
    await expectNoLeaks();
  });

  const echo = (from: Peer, to: Peer) =>
    from.peers.ask(to.id, { name: 'echo', body: 'x', withinMs: SOON_MS }).then(
      () => 'ok',
      (error: unknown) => (error instanceof CodedError ? error.code : error),
    );

  it('ask each other over their links, and each reaches itself', async () => {
    const answers = await Promise.all([echo(a, b), echo(b, a)]);
    await Promise.all([a.reach.prove(), b.reach.prove()]);

    expect(answers).toEqual(['ok', 'ok']);
    expect([a.peers.report(), b.peers.report()]).toMatchObject([
      { address: `https://127.0.0.1:${a.port}`, reachesItself: true },
      { address: `https://127.0.0.1:${b.port}`, reachesItself: true },
    ]);
  });

  it('hand over wakes, each in its order', async () => {
    const heard: string[] = [];
    b.door.hear((text) => heard.push(text));
    a.wakes.start(() => undefined);
    a.wakes.tell(b.id, () => ['goes another way']);
    await eventually(() => a.wakes.count === 1);

    const ways = ['1', '2', '3'].map((text) => a.wakes.tell(b.id, () => [text]));
    await eventually(() => heard.length === 3);

    expect([ways, heard]).toEqual([
      [true, true, true],
      ['1', '2', '3'],
    ]);
  });

  it('sign as they did without: a certificate is no secret of the cluster', async () => {
    const unsecret = await start({
      ...variables(authority.sign()),
      FAIRLEAD_CLUSTER_SECRET: randomBytes(32).toString('hex'),
    });

    expect([await echo(unsecret, a), await echo(a, unsecret)]).toEqual([
      'peer_unreachable',
      'peer_unreachable',
    ]);
  });

  it('do not listen to one that another authority has signed, and believe none', async () => {
    expect([await echo(strange, a), await echo(a, strange)]).toEqual([
      'peer_unreachable',
      'peer_unreachable',
    ]);
  });

  describe('where one takes a connection and says nothing', () => {
    const taken: Socket[] = [];
    const silent = createServer((socket) => taken.push(socket.on('error', () => undefined)));
    let address: string;

    beforeAll(async () => {
      await once(silent.listen(0, '127.0.0.1'), 'listening');
      address = `https://127.0.0.1:${(silent.address() as { port: number }).port}`;
    });

    afterAll(async () => {
      for (const socket of taken) socket.destroy();
      await once(silent.close(), 'close');
    });

    const ask = (from: Peer) =>
      from.peers.ask(randomUUID(), { name: 'echo', body: 'x', withinMs: 1 }, address);
    const isGone = (socket: Socket) => socket.destroyed || socket.readableEnded;

    it('give up, and let go of the connection', async () => {
      const before = taken.length;

      await expect(ask(a)).rejects.toMatchObject({ code: 'peer_unreachable' });

      const [socket] = taken.slice(before);
      socket?.resume();
      await eventually(() => socket !== undefined && isGone(socket));
    });

    it('give up at once when they end', async () => {
      const ending = await start(variables(authority.sign()));
      const before = taken.length;
      const givenUp: string[] = [];
      const asking = [
        ask(b).catch(() => givenUp.push('the one that goes on')),
        ask(ending).catch(() => givenUp.push('the one that ends')),
      ];
      await eventually(() => taken.length === before + 2);

      await ending.peers.stop();
      await Promise.all(asking);

      expect(givenUp).toEqual(['the one that ends', 'the one that goes on']);
    });
  });

  describe('while an installation changes over', () => {
    it('are reached by those without, and reach them, as long as both are taken', async () => {
      expect([await echo(changing, plain), await echo(plain, changing)]).toEqual(['ok', 'ok']);
    });

    it('are reached over TLS by those that take both, and reach these', async () => {
      expect([await echo(changing, a), await echo(a, changing)]).toEqual(['ok', 'ok']);
    });

    it('take TLS and none on one port', async () => {
      const [{ cert, key, ca }, { port }] = [authority.sign(), changing];

      expect(await get(port, { cert, key, ca })).toBe('over HTTP/1');
      expect(await get(port)).toBe('over HTTP/1');
    });

    it('are not reached any more by those without once TLS is required', async () => {
      expect(await echo(plain, a)).toBe('peer_unreachable');
    });
  });

  /** What is answered to a call over HTTP/1, or the code of the error that ended it. */
  const get = (port: number, tls?: ConnectionOptions) =>
    new Promise<string>((resolve) => {
      const options = { host: '127.0.0.1', port, path: '/other', agent: false as const };
      const taken = (answer: IncomingMessage) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => resolve(text)).on('error', (error) => resolve(error.message));
      };
      const call =
        tls === undefined
          ? request(options, taken)
          : requestOverTls({ ...options, servername: INTERNAL_TLS_NAME, ...tls }, taken);
      call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)).end();
    });

  describe('and require it', () => {
    const { cert, key, ca } = authority.sign();

    it('answer who has a certificate of the authority', async () => {
      expect(await get(a.port, { cert, key, ca })).toBe('over HTTP/1');
    });

    it('cut a connection without TLS, and say why', async () => {
      expect(await get(a.port)).toBe('ECONNRESET');
      expect(a.refused).toContain('it speaks no TLS');
    });

    it.each<[string, ConnectionOptions]>([
      ['without a certificate', { ca }],
      ['with one of another authority', { ...other.sign(), ca }],
      ['with one that has ended', authority.sign({ fromMs: -2 * HOUR_MS, untilMs: -1_000 })],
      ['with one that is not valid yet', authority.sign({ fromMs: HOUR_MS, untilMs: 2 * HOUR_MS })],
      ['over an older TLS', { cert, key, ca, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    ])('refuse one %s', async (_what, tls) => {
      const before = a.refused.length;

      expect(await get(a.port, tls)).not.toBe('over HTTP/1');
      await eventually(() => a.refused.length > before);
    });

    it.each([
      [INTERNAL_TLS_NAME, 200],
      ['metrics.example', 403],
    ])('answer a link that is signed by one with the name %s with %i', async (name, status) => {
      const session = connect2(`https://127.0.0.1:${a.port}`, {
        servername: INTERNAL_TLS_NAME,
        ...authority.sign({ names: [name] }),
      });
      sessions.push(session);
      const body = Buffer.from(JSON.stringify({ replica: b.id }));
      const call = { purpose: 'link', target: a.id, method: 'POST', path: LINK_PATH, body } as const;
      const { headers } = b.signed.sign(call, b.signed.secrets[0]);

      const stream = session.request({ ...headers, ':method': 'POST', ':path': LINK_PATH });
      const [head] = (await once(stream.end(body), 'response')) as [Record<string, unknown>];

      expect(head[':status']).toBe(status);
    });

    it('are themselves known by that name, and not by an address', async () => {
      const wrong = await get(a.port, { cert, key, ca, servername: 'elsewhere' });

      expect(wrong).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    });
  });

  describe('and get new ones', () => {
    /** The serial number of what is shown by the internal listener to a caller that trusts this authority. */
    const shown = (pems: Pems) =>
      new Promise<string>((resolve, reject) => {
        const socket = connectTls({
          host: '127.0.0.1',
          port: renewing.port,
          servername: INTERNAL_TLS_NAME,
          ...secureContextOptions(pems),
        });
        socket.once('secureConnect', () => {
          resolve(socket.getPeerX509Certificate()?.serialNumber ?? '');
          socket.destroy();
        });
        socket.on('error', reject);
      });

    it('use them for new connections without a start, and keep those that are open', async () => {
      const caller = authority.sign();
      const before = await shown(caller);
      expect(await echo(a, renewing)).toBe('ok');

      write(authority.sign());
      await renewing.certificates.look();

      expect(await shown(caller)).not.toBe(before);
      expect(await echo(a, renewing)).toBe('ok');
      expect(await echo(renewing, b)).toBe('ok');
    });

    it('stay with the old ones where the new ones would not do', async () => {
      const caller = authority.sign();
      const before = await shown(caller);

      for (const bad of [
        { ...authority.sign(), key: authority.sign().key },
        authority.sign({ untilMs: -1_000 }),
        { ...authority.sign(), cert: 'half a fi' },
      ]) {
        write(bad);
        await renewing.certificates.look();
      }

      expect(await shown(caller)).toBe(before);
      expect(await echo(a, renewing)).toBe('ok');
    });

    it('go over to another authority, under which the first is nobody', async () => {
      write({ ...other.sign(), ca: other.ca });
      await renewing.certificates.look();

      expect(await shown(other.sign())).not.toBe('');
      expect(await echo(strange, renewing)).toBe('ok');
      expect(await echo(b, renewing)).toBe('peer_unreachable');
    });
  });
});
