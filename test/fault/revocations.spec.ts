import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import { CONTROL_PATH, STANDBY_SUBPROTOCOL } from '../../src/protocol/version.js';
import { DatabaseProxy } from './support/database-proxy.js';
import { Api } from '../support/api.js';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { OPEN_WITHIN_MS, ScriptedBroker, ScriptedLink } from '../support/scripted-broker.js';
import { TransactionPooler } from '../support/transaction-pooler.js';

const PASSWORD = 'correct horse battery';
/** Over their links the replicas would wake each other all the same. */
const NO_LINKS = { FAIRLEAD_PEER_WAKES: 'off' };
const HEARD_WITHIN_MS = 1_000;
/** As old as anything may be that a replica remembers. */
const UNHEARD_WITHIN_MS = 30_000;
const SWITCHED = 101;
/** One that gets no answer must not keep the turn of the others. */
const ANSWER_WITHIN_MS = 20_000;

/** Something that was given out, and what becomes of it at the second replica once the first was told to take it back. */
type Given = {
  /** A status, or how the socket was closed. */
  tried: () => number | Promise<number>;
  takeBack: () => Promise<{ status: number }>;
  refusedWith: number;
  /** Whether the second replica goes by its memory until it hears of it. */
  isRemembered?: true;
};

const isGood = (code: number) => code < 300;
const meAt = async (url: string, headers: Record<string, string>) =>
  (await fetch(`${url}/api/v1/me`, { headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })).status;
const post = (url: string, path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });

async function makePerson(cluster: Cluster): Promise<{ id: string; name: string }> {
  const { body: user } = await cluster.api(0).post('/api/v1/users', { name: `u-${randomUUID()}` });
  const { body: invite } = await cluster.api(0).post(`/api/v1/users/${user.id}/invites`, {});
  await post(cluster.hub(0).url, '/invites/redeem', { token: invite.token, password: PASSWORD });
  return user;
}

async function makeToken(cluster: Cluster) {
  const { id: userId } = await makePerson(cluster);
  const { body } = await cluster.api(0).post(`/api/v1/users/${userId}/tokens`, { name: 'of a test' });
  const authorization = `Bearer ${body.token}`;
  const tried = () => meAt(cluster.hub(1).url, { authorization });
  return { userId, id: String(body.id), api: new Api(cluster.hub(0).url, body.token), tried };
}

function ofBroker(cluster: Cluster, { id }: ScriptedBroker, link: ScriptedLink): Given {
  let code = SWITCHED;
  void link.closed.then((end) => (code = end.code));
  return {
    tried: () => code,
    takeBack: () => cluster.api(0).post(`/api/v1/brokers/${id}/revoke`),
    refusedWith: CLOSE_CODES.revoked,
  };
}

const GIVEN: Record<string, (cluster: Cluster) => Promise<Given>> = {
  'the socket of a broker': async (cluster) => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    return ofBroker(cluster, broker, await broker.connect(cluster.hub(1).url));
  },

  'the socket that a broker holds ready': async (cluster) => {
    const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const first = await broker.connect(cluster.hub(0).url);
    const { url } = cluster.hub(1);
    const socket = new WebSocket(`${url.replace('http', 'ws')}${CONTROL_PATH}`, STANDBY_SUBPROTOCOL, {
      headers: await broker.shown(url),
      handshakeTimeout: OPEN_WITHIN_MS,
    });
    const held = new ScriptedLink(socket);
    await once(socket, 'open');
    held.send(broker.hello({ standby: true }));
    await held.next('standby_ok');
    void held.closed.then(() => first.cut());
    return ofBroker(cluster, broker, held);
  },

  'a personal token': async (cluster) => {
    const { id, api, tried } = await makeToken(cluster);
    const takeBack = () => api.call('DELETE', `/api/v1/tokens/${id}`);
    return { tried, takeBack, refusedWith: 401, isRemembered: true };
  },

  'the token of a person who is disabled': async (cluster) => {
    const { userId, tried } = await makeToken(cluster);
    const takeBack = () => cluster.api(0).call('DELETE', `/api/v1/users/${userId}`);
    return { tried, takeBack, refusedWith: 401, isRemembered: true };
  },

  'the session of a browser': async (cluster) => {
    const { name } = await makePerson(cluster);
    const { url: origin } = cluster.hub(0);
    const begun = await post(origin, '/web-sessions', { user: name, password: PASSWORD }, { origin });
    const { csrfToken } = (await begun.json()) as { csrfToken: string };
    const cookie = String(/^[^;]+/.exec(begun.headers.getSetCookie()[0] ?? ''));
    const headers = { cookie, origin, 'x-csrf-token': csrfToken };
    return {
      tried: () => meAt(cluster.hub(1).url, { cookie }),
      takeBack: () => fetch(`${origin}/api/v1/web-sessions/current`, { method: 'DELETE', headers }),
      refusedWith: 401,
      isRemembered: true,
    };
  },

  'the access token of a session': async (cluster) => {
    const { name } = await makePerson(cluster);
    const { url } = cluster.hub(0);
    const begun = await post(url, '/sessions', { user: name, password: PASSWORD });
    const { accessToken } = (await begun.json()) as { accessToken: string };
    const headers = { authorization: `Bearer ${accessToken}` };
    return {
      tried: () => meAt(cluster.hub(1).url, headers),
      takeBack: () => fetch(`${url}/api/v1/sessions`, { method: 'DELETE', headers }),
      refusedWith: 401,
      isRemembered: true,
    };
  },
};

describe('what is revoked at one replica is refused at the other:', () => {
  const clusters: Cluster[] = [];
  /** Undone once the clusters have ended, which go through them. */
  const ways: (() => Promise<void>)[] = [];
  let heard: Cluster;
  let deaf: Cluster;
  let polling: Cluster;
  let deafen: () => void;

  // One after the other: a busy machine starts one sooner than all.
  beforeAll(async () => {
    heard = await open(undefined, NO_LINKS, NO_LINKS);
    deaf = await open(undefined, NO_LINKS);
    const proxy = await DatabaseProxy.start(deaf.database.url);
    ways.push(() => proxy.stop());
    await deaf.addReplica({ ...NO_LINKS, DATABASE_URL: proxy.url });
    deafen = () => proxy.deafen();
    const database = await createDatabase();
    const pooler = await TransactionPooler.start(database.url);
    ways.push(
      () => pooler.stop(),
      () => database.drop(),
    );
    const pooled = { ...NO_LINKS, FAIRLEAD_DATABASE_POOLER: 'transaction' };
    polling = await open({ url: pooler.url, drop: () => Promise.resolve() }, pooled, pooled);
  }, 360_000);

  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    for (const undo of ways) await undo();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const open = async (database: TestDatabase | undefined, ...replicas: Record<string, string>[]) => {
    const cluster = await Cluster.start(0, database);
    clusters.push(cluster);
    for (const env of replicas) await cluster.addReplica(env);
    return cluster;
  };
  const hears = async (cluster: Cluster): Promise<boolean> =>
    (await cluster.api(1).get('/health')).body.wakes.healthy;

  let lastTurn: Promise<unknown> = Promise.resolve();
  /** What many begin at once is done by one after the other, so that nobody's second is spent by the others. */
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const turn = lastTurn.then(act);
    lastTurn = turn.catch(() => undefined);
    return turn;
  };

  /**
   * Gives it out, takes it back, and tries until it is refused.
   *
   * @returns how it was refused, and how many milliseconds later it was shown for the last time that it was taken
   */
  async function refusal(cluster: Cluster, make: (cluster: Cluster) => Promise<Given>, withinMs: number) {
    const { given, before, status, from, next } = await inTurn(async () => {
      const given = await make(cluster);
      const before = await given.tried();
      const { status } = await given.takeBack();
      const from = performance.now();
      return { given, before, status, from, next: await given.tried() };
    });
    let takenAtMs = 0;
    const code = await eventually(
      async () => {
        const askedAtMs = performance.now() - from;
        const now = await given.tried();
        if (isGood(now)) takenAtMs = askedAtMs;
        return !isGood(now) && now;
      },
      { withinMs: 2 * withinMs, everyMs: 50 },
    );
    const { refusedWith, isRemembered = false } = given;
    return {
      before,
      status,
      code,
      refusedWith,
      isRemembered,
      isStale: isRemembered && isGood(next),
      takenAtMs,
    };
  }

  describe('within a second by NOTIFY,', () => {
    it.each(Object.entries(GIVEN))('%s', async (_what, make) => {
      expect(await hears(heard)).toBe(true);

      const seen = await refusal(heard, make, HEARD_WITHIN_MS);

      expect([isGood(seen.before), isGood(seen.status)]).toEqual([true, true]);
      expect(seen.code).toBe(seen.refusedWith);
      expect(seen.takenAtMs).toBeLessThan(HEARD_WITHIN_MS);
    });
  });

  describe('within 30 s', () => {
    beforeAll(async () => {
      deafen();
      await eventually(async () => !(await hears(deaf)));
    });

    const it = atOnce();

    for (const [cut, clusterOf] of [
      ['where NOTIFY does not arrive', () => deaf],
      ['where nobody can listen', () => polling],
    ] as const)
      for (const [what, make] of Object.entries(GIVEN))
        it(`${cut}, ${what}`, async () => {
          const seen = await refusal(clusterOf(), make, UNHEARD_WITHIN_MS);

          expect([isGood(seen.before), isGood(seen.status)]).toEqual([true, true]);
          expect(seen.code).toBe(seen.refusedWith);
          expect(seen.takenAtMs).toBeLessThan(UNHEARD_WITHIN_MS);
          // Else something has told the replica after all.
          expect(seen.isStale).toBe(seen.isRemembered);
          expect(await hears(clusterOf())).toBe(false);
        });
  });
});
