import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { parseHubFrame } from '../../src/protocol/parse.js';
import { CONTROL_PATH, POLL_PATH, SUBPROTOCOL } from '../../src/protocol/version.js';
import { DatabaseProxy } from '../fault/support/database-proxy.js';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { signedAnew } from '../support/hub-signature.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const BUDGET = 40;
const REFUSED = 'a broker was refused at the door';

type Answer = { status: number; retryAfter: string | undefined; problem: Record<string, unknown> };

describe('a broker at the door', () => {
  let cluster: Cluster;
  let proxy: DatabaseProxy;
  let url: string;
  let internalUrl: string;
  let broker: ScriptedBroker;

  beforeAll(async () => {
    const database = await createDatabase();
    proxy = await DatabaseProxy.start(database.url);
    cluster = await Cluster.start(0, database);
    const hub = await cluster.addReplica({
      DATABASE_URL: proxy.url,
      FAIRLEAD_ADMISSIONS_PER_S: String(BUDGET),
      FAIRLEAD_DRAIN_LINGER_S: '2',
      FAIRLEAD_TRUSTED_PROXIES: '127.0.0.1',
    });
    url = hub.url;
    const sql = new pg.Client(database.url);
    await sql.connect();
    const { rows } = await sql.query(`select internal_url from hub_replica where state = 'active'`);
    await sql.end();
    internalUrl = rows[0].internal_url;
    broker = await join();
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  }, 30_000);

  const join = () => ScriptedBroker.join(cluster.api(0), url);
  /** A token of the broker that ends in so many seconds, and was made long enough before. */
  const tokenFor = async (endsInS: number, claims: object = {}) => {
    const now = Math.floor(Date.now() / 1_000);
    return signedAnew(cluster.database.url, await broker.accessToken(url), {
      iat: now - 900,
      exp: now + endsInS,
      ...claims,
    });
  };
  const upgrade = async (token: string, whose = broker, headers: Record<string, string> = {}) => {
    const shown = await whose.shown(url, { token });
    return new Promise<Answer>((resolve, reject) => {
      const asking = request(`${url}${CONTROL_PATH}`, {
        agent: false,
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol': SUBPROTOCOL,
          ...shown,
          ...headers,
        },
      });
      asking.on('upgrade', (_response, socket) => {
        socket.destroy();
        resolve({ status: 101, retryAfter: undefined, problem: {} });
      });
      asking.on('response', (response) => {
        let text = '';
        response.on('data', (chunk) => (text += String(chunk)));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: response.headers['retry-after'],
            problem: JSON.parse(text) as Record<string, unknown>,
          }),
        );
      });
      asking.on('error', reject);
      asking.end();
    });
  };
  /** The first poll of a channel, with its hello. */
  const poll = async (...headers: Record<string, string>[]): Promise<Answer> => {
    const response = await fetch(`${url}${POLL_PATH}`, {
      method: 'POST',
      headers: Object.assign({ 'content-type': 'application/json' }, ...headers),
      body: JSON.stringify({ connectionId: null, first: 1, frames: [broker.hello()], received: 0 }),
    });
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after') ?? undefined,
      problem: (await response.json()) as Record<string, unknown>,
    };
  };
  /** As Prometheus scrapes it. */
  const sample = async (name: string): Promise<number> => {
    const lines = (await (await fetch(`${internalUrl}/metrics`)).text()).split('\n');
    return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? 0);
  };
  const revoke = async ({ id }: ScriptedBroker) => {
    const { status } = await cluster.api(0).post(`/api/v1/brokers/${id}/revoke`);
    if (status !== 200) throw new Error(`not revoked: ${status}`);
  };
  const meanwhile = atOnce();

  it('is let in while its token is good, and told 401 once that has ended', async () => {
    const good = await upgrade(await tokenFor(60));
    const ended = await upgrade(await tokenFor(0));

    expect(good.status).toBe(101);
    expect(ended).toMatchObject({ status: 401, problem: { code: 'credential_invalid' } });
    expect(ended.retryAfter).toBeUndefined();
  });

  it('is told 401 where the hub does not know it any more', async () => {
    const answer = await upgrade(await tokenFor(60, { sub: randomUUID() }));

    expect(answer).toMatchObject({ status: 401, problem: { code: 'credential_invalid' } });
  });

  it('is told 403 once it is revoked, though its token is good', async () => {
    const other = await join();
    const token = await other.accessToken(url);
    const before = await upgrade(token, other);
    await revoke(other);

    const after = await upgrade(token, other);

    expect(before.status).toBe(101);
    expect(after).toMatchObject({ status: 403, problem: { code: 'broker_revoked' } });
  });

  it('is revoked all the same where the other replicas cannot be told of it', async () => {
    const other = await join();
    const lost = proxy.lose('question', 'list_replicas');

    await Promise.all([revoke(other), lost]);

    await expect(other.accessToken(url)).rejects.toThrow('broker_revoked');
  });

  it('is told 503 and when to come again where the database cannot be asked, never 401', async () => {
    const token = await broker.accessToken(url);
    const lost = proxy.lose('question', 'find_standings_of_brokers');

    const [answer] = await Promise.all([upgrade(token), lost]);

    expect(answer).toMatchObject({ status: 503, problem: { code: 'database_unavailable' } });
    expect(Number(answer.retryAfter)).toBeGreaterThan(0);
    expect((await upgrade(token)).status).toBe(101);
  });

  it('that was let in ends with 4503 where its connection cannot be written, and is not welcomed', async () => {
    const link = await broker.dial(url);
    const lost = proxy.lose('question', 'connect_brokers');

    link.send(broker.hello());

    await lost;
    expect(await link.closed).toMatchObject({ code: CLOSE_CODES.registry_unavailable });
    expect(link.count('welcome')).toBe(0);
  });

  it('that was let in ends with 4403 where it is revoked before its hello', async () => {
    const other = await join();
    const link = await other.dial(url);
    await revoke(other);

    link.send(other.hello());

    expect(await link.closed).toMatchObject({ code: CLOSE_CODES.revoked });
  });

  it('is let in as often within a second as the budget has it, and is else told 429 and when to come again', async () => {
    const token = await broker.accessToken(url);

    const answers = await Promise.all(Array.from({ length: 2 * BUDGET }, () => upgrade(token)));
    const refused = answers.filter(({ status }) => status !== 101);
    const waitS = Math.max(...refused.map(({ retryAfter }) => Number(retryAfter)));

    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(answers.length);
    expect(refused[0]).toMatchObject({ status: 429, problem: { code: 'admission_budget_spent' } });
    expect(Math.min(...refused.map(({ retryAfter }) => Number(retryAfter)))).toBeGreaterThan(0);
    expect(waitS).toBeLessThanOrEqual(2);
    await delay(waitS * 1_000);
    expect((await upgrade(token)).status).toBe(101);
  });

  it('that reads nothing once it is linked is sent no more than it may leave, and goes on once it reads', async () => {
    const other = await join();
    const args = { text: 'x'.repeat(LIMITS.argsBytes - JSON.stringify({ text: '' }).length) };
    const headers = await other.shown(url);
    const socket = new WebSocket(`${url.replace('http', 'ws')}${CONTROL_PATH}`, SUBPROTOCOL, {
      headers,
    });
    const closed: string[] = [];
    socket.on('close', (code, reason) => closed.push(`${code} ${reason.toString()}`));
    socket.on('open', () => socket.send(JSON.stringify(other.hello({ window: LIMITS.windowMax }))));
    await once(socket, 'message');
    socket.send('{"t":"inventory","entries":[],"last":true}');
    await once(socket, 'message');
    socket.pause();

    // A machine that is full may keep a replica from its next beat for a moment: then it stores nothing, and says so.
    const ask = () =>
      eventually(
        async () => {
          const asked = { op: 'broker.ping', args, orderingKey: null };
          const { body } = await cluster.api(0).post(`/api/v1/brokers/${other.id}/dispatches`, asked);
          expect(body).toHaveProperty('dispatch');
          return body.dispatch as { id: string; state: string };
        },
        { withinMs: 20_000 },
      );
    const asked = await Promise.all(Array.from({ length: 40 }, ask));
    const sent: string[] = [];
    socket.on('message', (data: Buffer) => {
      const frame = parseHubFrame(data.toString('utf8'));
      if (frame.t !== 'dispatch') return;
      sent.push(...frame.dispatches.map(({ id }) => id));
      const acks = frame.dispatches.map(({ id, attempt }) => ({ id, attempt }));
      socket.send(JSON.stringify({ t: 'ack', acks }));
    });
    socket.resume();

    await eventually(() => closed.length > 0 || sent.length >= asked.length, { withinMs: 30_000 });
    expect(closed).toEqual([]);
    expect(sent.sort()).toEqual(asked.map(({ id }) => id).sort());
    expect(asked.filter(({ state }) => state !== 'pending')).toHaveLength(
      LIMITS.bufferedBytes / 2 / LIMITS.argsBytes,
    );
    expect(closed).toEqual([]);
    socket.terminate();
  });

  meanwhile('that was let in ends with 4401 where its token has ended by its hello', async () => {
    const [early, late] = [await broker.dial(url, await tokenFor(60)), await join()];
    const ending = await signedAnew(cluster.database.url, await late.accessToken(url), {
      exp: Math.floor(Date.now() / 1_000) + 3,
    });
    const link = await late.dial(url, ending);
    early.send(broker.hello());
    await early.next('welcome');
    await delay(3_000);

    link.send(late.hello());

    expect(await link.closed).toMatchObject({ code: CLOSE_CODES.credential_expired });
    early.cut();
  });

  it('that is refused is told of in the log, with from where and which it was, and counted', async () => {
    const other = await join();
    const token = await other.accessToken(url);
    await revoke(other);
    const before = await sample('fairlead_channels_refused_total{code="broker_revoked"}');
    // As the proxy tells that was named; what stands to the left of that it was told itself.
    const forwarded = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };

    const answers = [
      await upgrade(token, other, forwarded),
      await poll(await other.shown(url, { method: 'POST', path: POLL_PATH, token }), forwarded),
      await poll({}, forwarded),
    ];

    expect(answers.map(({ problem }) => problem.code)).toEqual([
      'broker_revoked',
      'broker_revoked',
      'credential_missing',
    ]);
    const told = (code: string, transport: string) =>
      cluster
        .hub(0)
        .line(
          (line) =>
            line.msg === REFUSED &&
            line.code === code &&
            line.transport === transport &&
            line.address === '203.0.113.9',
        );
    const lines = [
      await told('broker_revoked', 'websocket'),
      await told('broker_revoked', 'poll'),
      await told('credential_missing', 'poll'),
    ];
    expect(lines.map(({ brokerId, status }) => [brokerId, status])).toEqual([
      [other.id, 403],
      [other.id, 403],
      [undefined, 401],
    ]);
    expect(JSON.stringify(lines)).not.toContain(token);
    expect(await sample('fairlead_channels_refused_total{code="broker_revoked"}')).toBe(before + 2);
  });

  it('is told 503 and when to come again while its replica has lost its lease, and let in once that is renewed', async () => {
    const token = await broker.accessToken(url);
    const thaw = proxy.freeze();
    // Until then whoever knocks waits for the database, which may answer yet.
    await eventually(async () => (await sample('fairlead_replica_may_act')) === 0, {
      withinMs: 60_000,
      everyMs: 500,
    });

    const answers = await Promise.all([
      upgrade(token),
      broker.shown(url, { method: 'POST', path: POLL_PATH, token }).then((shown) => poll(shown)),
    ]);
    thaw();
    const again = await eventually(
      async () => {
        const answer = await upgrade(token);
        return answer.status === 101 && answer;
      },
      { withinMs: 30_000, everyMs: 500 },
    );

    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, problem: { code: 'replica_fenced' } });
      expect(Number(answer.retryAfter)).toBeGreaterThan(0);
    }
    expect(again.status).toBe(101);
    await cluster.hub(0).line(({ msg, code }) => msg === REFUSED && code === 'replica_fenced');
  });

  it('is told 503 and when to come again once the replica drains', async () => {
    const token = await broker.accessToken(url);
    cluster.hub(0).signal('SIGTERM');

    const refused = await eventually(async () => {
      const answer = await upgrade(token);
      return answer.status !== 101 && answer;
    });

    expect(refused).toMatchObject({ status: 503, problem: { code: 'draining' } });
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
  });
});
