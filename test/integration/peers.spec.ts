import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { connect as connect2, type ClientHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { PEER_BODY_BYTES, SIGNED_BODY_BYTES } from '../../src/hub/cluster/peers/body.js';
import { OutgoingLink } from '../../src/hub/cluster/peers/outgoing-link.js';
import { LINK_PATH, RELAY_PREFIX, SELF_PATH, WAKE_PATH } from '../../src/hub/cluster/peers/paths.js';
import { CallsItself, PeerUnreachable } from '../../src/hub/cluster/peers/peers.errors.js';
import {
  callMacOf,
  hashOf,
  linkKeyOf,
  signatureOf,
  type Purpose,
} from '../../src/hub/cluster/peers/signature.js';
import type { SignedCalls } from '../../src/hub/cluster/peers/signed-calls.js';
import { CodedError } from '../../src/hub/problems/coded.error.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { Peer } from '../support/peer.js';

const [NEW, OLD, STRANGE] = [1, 2, 3].map(() => randomBytes(32).toString('hex'));
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const SOON_MS = 5_000;

describe('replicas among themselves', () => {
  let database: TestDatabase;
  let sql: pg.Client;
  let a: Peer;
  let b: Peer;
  let old: Peer;
  let stranger: Peer;
  const all: Peer[] = [];
  const sessions: ClientHttp2Session[] = [];

  const start = async (env: Record<string, string>) => {
    const peer = await Peer.start(database.url, env);
    all.push(peer);
    return peer;
  };

  beforeAll(async () => {
    database = await createDatabase();
    sql = new pg.Client(database.url);
    await sql.connect();
    [a, b, old, stranger] = await Promise.all([
      start({ FAIRLEAD_CLUSTER_SECRET: NEW!, FAIRLEAD_CLUSTER_SECRET_PREVIOUS: OLD! }),
      start({ FAIRLEAD_CLUSTER_SECRET: NEW!, FAIRLEAD_CLUSTER_SECRET_PREVIOUS: OLD! }),
      start({ FAIRLEAD_CLUSTER_SECRET: OLD! }),
      start({ FAIRLEAD_CLUSTER_SECRET: STRANGE! }),
    ]);
  });

  afterAll(async () => {
    for (const session of sessions) session.destroy();
    await Promise.all(all.map((peer) => peer.stop()));
    await sql.end();
    await database.drop();
    await expectNoLeaks();
  });

  const echo = (from: Peer, to: Peer, body: unknown, withinMs = SOON_MS) =>
    from.peers.ask(to.id, { name: 'echo', body, withinMs });
  const codeOf = (asking: Promise<unknown>) =>
    asking.then(
      () => 'ok',
      (error: unknown) => (error instanceof CodedError ? error.code : error),
    );

  describe('on a link', () => {
    it('ask many things at once over one connection, and each gets its own answer', async () => {
      const answers = await Promise.all(
        Array.from({ length: 150 }, (_each, index) => echo(a, b, { index, pauseMs: (index % 7) * 3 })),
      );

      expect(answers.map((answer) => (answer as { heard: { index: number } }).heard.index)).toEqual(
        Array.from({ length: 150 }, (_each, index) => index),
      );
      expect(a.peers.report().links).toBe(1);
    });

    it('tell who asks, how long they wait, and in which trace', async () => {
      await a.peers.ask(b.id, { name: 'echo', body: 'x', withinMs: 4_321, traceparent: TRACE });

      expect(b.calls.at(-1)).toMatchObject({
        caller: a.id,
        body: 'x',
        deadlineMs: 4_321,
        traceparent: TRACE,
      });
    });

    it('get the very error that the other one had', async () => {
      expect(await codeOf(a.peers.ask(b.id, { name: 'nobody', body: {}, withinMs: SOON_MS }))).toBe(
        'not_found',
      );
      expect(await codeOf(a.peers.ask(b.id, { name: 'unknown', body: {}, withinMs: SOON_MS }))).toBe(
        'not_found',
      );
    });

    it('give up at the deadline, and the other one learns it', async () => {
      const outcome = await codeOf(echo(a, b, { pauseMs: 60_000 }, 50));

      expect(outcome).toBe('peer_unreachable');
      await eventually(() => b.calls.at(-1)?.signal.aborted === true);
      expect(await codeOf(echo(a, b, 'after'))).toBe('ok');
    });

    it('are told when the caller gives up', async () => {
      const giving = new AbortController();
      const before = b.calls.length;
      const asking = a.peers.ask(b.id, {
        name: 'echo',
        body: { pauseMs: 60_000 },
        withinMs: SOON_MS,
        signal: giving.signal,
      });
      await eventually(() => b.calls.length > before);

      giving.abort(new Error('no more'));

      await expect(asking).rejects.toThrow('no more');
      await eventually(() => b.calls.at(-1)?.signal.aborted === true);
    });

    it('take a body up to the cap, and refuse one byte more with 413', async () => {
      const text = (bytes: number) => 'x'.repeat(bytes - 2);

      expect(
        await codeOf(a.peers.ask(b.id, { name: 'unknown', body: text(PEER_BODY_BYTES), withinMs: SOON_MS })),
      ).toBe('not_found');
      expect(await codeOf(echo(a, b, text(PEER_BODY_BYTES + 1)))).toBe('request_too_large');
    });

    it('close it when it is idle, and open another when they need one', async () => {
      await echo(a, b, 1);

      a.peers.closeIdle(60_000);
      expect(a.peers.report().links).toBe(1);
      a.peers.closeIdle(0);

      await eventually(() => a.peers.report().links === 0);
      expect(await codeOf(echo(a, b, 2))).toBe('ok');
    });

    it('wait with nobody for the database where they know the address', async () => {
      const asker = await start({ FAIRLEAD_CLUSTER_SECRET: NEW! });
      await sql.query('begin');
      await sql.query('lock table hub_replica in access exclusive mode');
      const seeking = codeOf(echo(asker, b, 1));

      const answer = await codeOf(
        asker.peers.ask(b.id, { name: 'echo', body: 2, withinMs: SOON_MS }, b.address),
      );
      await sql.query('rollback');

      expect(answer).toBe('ok');
      expect(await seeking).toBe('ok');
      expect(asker.peers.report().links).toBe(1);
    });

    it('look after one that has just been closed without a fault', async () => {
      const link = await OutgoingLink.open(
        a.signed,
        { address: b.address, caller: a.id, target: b.id },
        undefined,
      );

      link.close();

      expect(() => link.probe()).not.toThrow();
    });

    it('learn that the other one is gone', async () => {
      const leaving = await start({ FAIRLEAD_CLUSTER_SECRET: NEW! });
      await echo(a, leaving, 1);

      await leaving.stop();
      all.splice(all.indexOf(leaving), 1);

      await eventually(() => a.peers.report().links === 1);
      expect(await codeOf(echo(a, leaving, 2))).toBe('peer_unreachable');
    });

    it('never ask themselves, nor take a link from themselves', async () => {
      await expect(echo(a, a, 1)).rejects.toThrow(CallsItself);

      expect(await openLink(b.signed, b, b.id)).toMatchObject({ status: 403 });
    });
  });

  describe('with two secrets while these are rotated', () => {
    it('reach one that knows the previous one alone, and are reached by it', async () => {
      expect(await codeOf(echo(a, old, 1))).toBe('ok');
      expect(await codeOf(echo(old, a, 1))).toBe('ok');
    });

    it('do not listen to one with another secret, and believe none', async () => {
      expect(await codeOf(echo(stranger, a, 1))).toBe('peer_unreachable');
      expect(await codeOf(echo(a, stranger, 1))).toBe('peer_unreachable');
    });
  });

  type Sent = { status: number; body: Record<string, unknown> };

  /** A call over HTTP/1 with headers of our own making. */
  const post = (to: Peer, path: string, headers: Record<string, string>, body = '') =>
    new Promise<Sent>((resolve, reject) => {
      const outgoing = request(
        new URL(path, to.address),
        { method: 'POST', headers, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => (text += part));
          answer.on('end', () => {
            resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as Record<string, unknown> });
          });
        },
      );
      outgoing.on('error', reject).end(body);
    });
  const signedFor = (to: Peer, purpose: Purpose, path: string, madeMsAgo = 0, body = '') => {
    const [timestampMs, nonce] = [Date.now() - madeMsAgo, randomUUID()];
    const call = {
      purpose,
      target: to.id,
      method: 'POST',
      path,
      timestampMs,
      nonce,
      body: Buffer.from(body),
    };
    return {
      'fairlead-target': to.id,
      'fairlead-timestamp': String(timestampMs),
      'fairlead-nonce': nonce,
      'fairlead-signature': signatureOf(Buffer.from(NEW!, 'hex'), call),
    };
  };
  const spent = async () => Number((await sql.query('select count(*) from peer_nonce')).rows[0].count);

  describe('by a signed call', () => {
    it('take each once, by a mark in the database and not in one process (pitfall 36)', async () => {
      const headers = signedFor(b, 'self', SELF_PATH);

      const [first, again] = [await post(b, SELF_PATH, headers), await post(b, SELF_PATH, headers)];

      expect([first.status, again.status]).toEqual([200, 403]);
      expect(again.body.code).toBe('peer_refused');
      const { rows } = await sql.query('select 1 from peer_nonce where nonce = $1', [
        headers['fairlead-nonce'],
      ]);
      expect(rows).toHaveLength(1);
    });

    it('take one of two that come at the same moment', async () => {
      const headers = signedFor(b, 'self', SELF_PATH);

      const sent = await Promise.all([1, 2, 3, 4].map(() => post(b, SELF_PATH, headers)));

      expect(sent.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403]);
    });

    it.each<[string, () => Record<string, string>]>([
      ['made out to another replica', () => ({ ...signedFor(a, 'self', SELF_PATH) })],
      ['readdressed', () => ({ ...signedFor(a, 'self', SELF_PATH), 'fairlead-target': b.id })],
      ['signed for a drain', () => signedFor(b, 'drain', SELF_PATH)],
      ['signed for a link', () => signedFor(b, 'link', SELF_PATH)],
      ['signed for another path', () => signedFor(b, 'self', LINK_PATH)],
      ['signed for another body', () => signedFor(b, 'self', SELF_PATH, 0, '{}')],
      ['without a signature', () => ({ ...signedFor(b, 'self', SELF_PATH), 'fairlead-signature': '' })],
      ['with a nonce that is none', () => ({ ...signedFor(b, 'self', SELF_PATH), 'fairlead-nonce': 'x' })],
    ])('refuse what is %s with 403, and write nothing', async (_what, headers) => {
      const before = await spent();

      const { status, body } = await post(b, SELF_PATH, headers());

      expect([status, body.code]).toEqual([403, 'peer_refused']);
      expect(await spent()).toBe(before);
    });

    it.each([
      [62_000, 401, 'clock_skew'],
      [-62_000, 401, 'clock_skew'],
      [55_000, 200, undefined],
      [-55_000, 200, undefined],
    ])('of %i ms ago answer %i', async (agoMs, status, code) => {
      const before = await spent();

      const answer = await post(b, SELF_PATH, signedFor(b, 'self', SELF_PATH, agoMs));

      expect([answer.status, answer.body.code]).toEqual([status, code]);
      if (code !== undefined) {
        expect(Math.abs(Date.parse(String(answer.body.hubTime)) - Date.now())).toBeLessThan(5_000);
        expect(await spent()).toBe(before);
      }
    });

    it('answer 503 where the nonce cannot be spent: neither yes nor no', async () => {
      const cut = await start({ FAIRLEAD_CLUSTER_SECRET: NEW! });
      await cut.loseDatabase();

      const { status, body } = await post(cut, SELF_PATH, signedFor(cut, 'self', SELF_PATH));

      expect([status, body.code]).toEqual([503, 'database_unavailable']);
      expect(await codeOf(echo(a, cut, 1))).toBe('peer_unreachable');
    });

    it('refuse more of a body than such a call has with 413, before they look at it', async () => {
      expect(await post(b, SELF_PATH, {}, 'x'.repeat(SIGNED_BODY_BYTES + 1))).toMatchObject({ status: 413 });
      expect(await post(b, SELF_PATH, {}, 'x'.repeat(SIGNED_BODY_BYTES))).toMatchObject({ status: 403 });
    });

    it('forget a nonce once nobody would take its call any more, and not before', async () => {
      const [gone, kept] = [randomUUID(), randomUUID()];
      await sql.query(
        `insert into peer_nonce values ($1, now() - interval '1 second'), ($2, now() + interval '9 seconds')`,
        [gone, kept],
      );

      await a.nonces.sweep(1_000);

      const { rows } = await sql.query('select nonce from peer_nonce where nonce in ($1, $2)', [gone, kept]);
      expect(rows).toEqual([{ nonce: kept }]);
    });
  });

  /** A link opened by hand, with the key that it has. */
  async function openLink(signed: SignedCalls, to: Peer, caller: string) {
    const session = connect2(to.address);
    sessions.push(session);
    const body = JSON.stringify({ replica: caller });
    const call = {
      purpose: 'link',
      target: to.id,
      method: 'POST',
      path: LINK_PATH,
      body: Buffer.from(body),
    } as const;
    const [secret] = signed.secrets;
    const { headers, nonce: callerNonce } = signed.sign(call, secret);
    const { status, answer } = await say(session, LINK_PATH, headers, body);
    const targetNonce = String(answer.nonce);
    return { session, status, key: linkKeyOf(secret, { caller, target: to.id, callerNonce, targetNonce }) };
  }

  async function say(
    session: ClientHttp2Session,
    path: string,
    headers: Record<string, string>,
    body: string,
  ) {
    const stream = session.request({ ...headers, ':method': 'POST', ':path': path });
    let status = 0;
    let text = '';
    stream.on('response', (head) => (status = Number(head[':status'])));
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    stream.end(body);
    await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
    return { status, answer: JSON.parse(text) as Record<string, unknown> };
  }

  const ECHO = `${RELAY_PREFIX}echo`;

  function authentic(
    key: Buffer,
    counter: number,
    body: string,
    purpose: Purpose = 'relay',
    path: string = ECHO,
  ) {
    const bodyHash = hashOf(Buffer.from(body));
    const call = {
      purpose,
      method: 'POST',
      path,
      counter,
      deadlineMs: 1_000,
      traceparent: '',
      bodyHash,
    };
    return {
      'fairlead-purpose': purpose,
      'fairlead-counter': String(counter),
      'fairlead-deadline-ms': '1000',
      'fairlead-body-sha256': bodyHash,
      'fairlead-mac': callMacOf(key, call),
    };
  }

  describe('on a link that somebody else has a hand in', () => {
    it('take no call twice, and nothing after one that is not its own', async () => {
      const { session, key } = await openLink(a.signed, b, randomUUID());
      const first = authentic(key, 1, '{}');

      const statuses: number[] = [];
      for (const headers of [first, authentic(key, 3, '{}'), first, authentic(key, 4, '{}')]) {
        statuses.push((await say(session, ECHO, headers, '{}')).status);
      }

      expect(statuses).toEqual([200, 200, 403, 403]);
    });

    it.each<[string, (key: Buffer) => [headers: Record<string, string>, body: string]]>([
      ['another body than was signed', (key) => [authentic(key, 1, '{}'), '[]']],
      ['another purpose', (key) => [authentic(key, 1, '{}', 'drain'), '{}']],
      ['another key', () => [authentic(randomBytes(32), 1, '{}'), '{}']],
      ['no proof at all', () => [{}, '{}']],
    ])('refuse a call with %s', async (_what, made) => {
      const { session, key } = await openLink(a.signed, b, randomUUID());

      expect(await say(session, ECHO, ...made(key))).toMatchObject({ status: 403 });
    });

    it('take no call on a connection that is no link', async () => {
      const session = connect2(b.address);
      sessions.push(session);

      expect(await say(session, ECHO, authentic(randomBytes(32), 1, '{}'), '{}')).toMatchObject({
        status: 403,
      });
    });
  });

  describe('with hints for each other', () => {
    const heard: string[] = [];

    beforeAll(() => {
      b.door.hear((text) => heard.push(text));
    });

    /** Whether it went over a link. */
    const tell = (text: string) => a.wakes.tell(b.id, () => [text]);

    it('tell the first another way, and those that follow over their link, each taken in its order', async () => {
      a.wakes.start(() => undefined);
      expect(tell('never sent')).toBe(false);

      await eventually(() => Promise.resolve(a.wakes.count === 1));
      const ways = ['1', '2', '3'].map(tell);
      await eventually(() => Promise.resolve(heard.length === 3));

      expect([ways, heard]).toEqual([
        [true, true, true],
        ['1', '2', '3'],
      ]);
    });

    it('get back what is not taken in time, or when the link is over, and use another way from then on', async () => {
      const back: string[] = [];
      a.wakes.start((_, texts) => back.push(...texts));
      await eventually(() => Promise.resolve(a.wakes.count === 1));
      b.door.hear(() => {
        throw new Error('planted');
      });

      tell('lost');
      await eventually(() => Promise.resolve(back.length > 0));

      // That earlier ones were taken may not have been told yet: those come back too.
      expect([back.at(-1), a.wakes.count, tell('later')]).toEqual(['lost', 0, false]);
    });

    it('take none by the proof of another call', async () => {
      const { session, key } = await openLink(a.signed, b, randomUUID());
      const proven = authentic(key, 1, '', 'relay', WAKE_PATH);

      expect(await say(session, WAKE_PATH, proven, '')).toMatchObject({ status: 403 });
    });
  });

  describe('as told to each other', () => {
    it('know whether they reach themselves', async () => {
      await b.reach.prove();
      expect(b.peers.report()).toMatchObject({ address: b.address, reachesItself: true });

      await stranger.advertise(a.address);
      await stranger.reach.prove();
      expect(stranger.peers.report()).toMatchObject({ reachesItself: false });
    });

    it('are not found where they are gone', async () => {
      await sql.query(`update hub_replica set state = 'gone', ended_at = now() where id = $1`, [stranger.id]);

      await expect(echo(b, stranger, 1)).rejects.toThrow(PeerUnreachable);
    });
  });

  it('speak HTTP/1 and HTTP/2 on one port, however the first bytes come', async () => {
    const text = await (await fetch(`${b.address}/other`)).text();
    const socket = connect(Number(new URL(b.address).port), '127.0.0.1');
    let answer = '';
    socket.setEncoding('latin1').on('data', (part: string) => (answer += part));
    for (const part of ['P', 'R', 'I * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0']) {
      socket.write(Buffer.from(part, 'latin1'));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // A frame of settings: type 4, on stream 0.
    await eventually(() => answer.charCodeAt(3) === 4);

    expect(text).toBe('over HTTP/1');
    socket.destroy();
  });
});
