import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JWK } from 'jose';
import { Client } from 'pg';
import { WebSocket } from 'ws';
import { proofFields, type ShownFields } from '../../src/broker/proof.js';
import { CONTROL_PATH, POLL_PATH, SUBPROTOCOL } from '../../src/protocol/version.js';
import { Cluster } from '../support/cluster.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { ScriptedPoller } from '../support/scripted-poller.js';

type Answer = { status: number; code?: string };
const INVALID = { status: 401, code: 'credential_invalid' };
const MISSING = { status: 401, code: 'credential_missing' };

describe('what was read on the way of a broker', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;
  let urls: string[];

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    urls = cluster.hubs.map(({ url }) => url);
    broker = await ScriptedBroker.join(cluster.api(0), urls[0]!);
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  const everywhere = <T>(ask: (url: string) => Promise<T>) => Promise.all(urls.map(ask));

  /** 101 where the channel is opened, which is closed again. */
  async function upgrade(url: string, shown: Partial<ShownFields>): Promise<Answer> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${CONTROL_PATH}`, SUBPROTOCOL, {
      headers: shown,
    });
    const answer = await new Promise<IncomingMessage | undefined>((resolve, reject) => {
      socket.once('open', () => resolve(undefined));
      socket.once('unexpected-response', (_request, response) => resolve(response));
      socket.once('error', reject);
    });
    if (answer !== undefined) {
      return { status: answer.statusCode ?? 0, code: JSON.parse(await text(answer)).code };
    }
    socket.terminate();
    await once(socket, 'close');
    return { status: 101 };
  }

  async function beginPolls(url: string, shown: Partial<ShownFields>): Promise<Answer> {
    const response = await fetch(`${url}${POLL_PATH}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...shown },
      body: JSON.stringify({ connectionId: null, first: 1, frames: [broker.hello()], received: 0 }),
    });
    const { code } = (await response.json()) as { code?: string };
    return { status: response.status, ...(code === undefined ? {} : { code }) };
  }

  it('opens a channel once, at whichever replica it is shown first, and never again', async () => {
    const shown = await broker.shown(urls[0]!);

    const first = await everywhere((url) => upgrade(url, shown));
    const again = await everywhere((url) => upgrade(url, shown));

    expect(first.map(({ status }) => status).sort()).toEqual([101, 401]);
    expect(again).toEqual([INVALID, INVALID]);
  });

  it('opens no channel anywhere with the token alone, or with a proof of another key', async () => {
    const token = await broker.accessToken(urls[0]!);
    const stranger = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK;
    const asked = { method: 'GET', path: CONTROL_PATH } as const;
    const proven = await proofFields(stranger, token, urls[0]!, asked, Date.now());

    expect(await everywhere((url) => upgrade(url, { authorization: `Bearer ${token}` }))).toEqual([
      MISSING,
      MISSING,
    ]);
    expect(await everywhere((url) => upgrade(url, { authorization: `DPoP ${token}` }))).toEqual([
      MISSING,
      MISSING,
    ]);
    expect(await everywhere((url) => upgrade(url, proven))).toEqual([INVALID, INVALID]);
  });

  it('begins no polls with what was shown for an upgrade, and no channel with what was shown for polls', async () => {
    const [forUpgrade, forPolls] = [
      await broker.shown(urls[0]!),
      await broker.shown(urls[0]!, { method: 'POST', path: POLL_PATH }),
    ];

    expect(await everywhere((url) => beginPolls(url, forUpgrade))).toEqual([INVALID, INVALID]);
    expect(await everywhere((url) => upgrade(url, forPolls))).toEqual([INVALID, INVALID]);
  });

  it('begins polls once, and goes on with them once, whichever replica holds the connection', async () => {
    const begun = await broker.shown(urls[0]!, { method: 'POST', path: POLL_PATH });
    expect(await beginPolls(urls[0]!, begun)).toEqual({ status: 200 });
    expect(await everywhere((url) => beginPolls(url, begun))).toEqual([INVALID, INVALID]);

    const poller = await ScriptedPoller.open(broker, urls[0]!);
    const shown = await poller.shown(urls[1]!);
    const body = poller.bodyWith({ t: 'heartbeat', health: 'online', load: null, running: 0 });
    const relayed = await poller.post(urls[1]!, body, undefined, shown);

    expect(relayed.status).toBe(200);
    for (const { status, body: problem } of await everywhere((url) =>
      poller.post(url, body, undefined, shown),
    ))
      expect({ status, code: problem.code }).toEqual(INVALID);
    expect(await everywhere((url) => beginPolls(url, shown))).toEqual([INVALID, INVALID]);
  });

  it('is exchanged for nothing twice, where it was an assertion', async () => {
    const assertion = await broker.assertion();
    const exchange = async (url: string): Promise<Answer> => {
      const response = await fetch(`${url}/api/v1/brokers/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        }),
      });
      const { code, token_type: type } = (await response.json()) as { code?: string; token_type?: string };
      return { status: response.status, ...(code === undefined ? {} : { code }), ...(type && { type }) };
    };

    expect((await everywhere(exchange)).map(({ status }) => status).sort()).toEqual([200, 401]);
    expect(await everywhere(exchange)).toEqual([INVALID, INVALID]);
  });

  it('writes nothing, however often it is shown, where it is no good', async () => {
    const sql = new Client(cluster.database.url);
    await sql.connect();
    try {
      const token = await broker.accessToken(urls[0]!);
      const stranger = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as JWK;
      const asked = { method: 'GET', path: CONTROL_PATH } as const;
      const count = async () =>
        (await sql.query('select count(*)::int as n from spent_assertion')).rows[0].n as number;
      const before = await count();

      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_, at) => {
          const proven = await proofFields(stranger, token, urls[0]!, asked, Date.now());
          return upgrade(
            urls[at % 2]!,
            at % 4 < 2 ? proven : { ...proven, authorization: `DPoP ${randomUUID()}` },
          );
        }),
      );

      expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['credential_invalid']));
      expect(await count()).toBe(before);
    } finally {
      await sql.end();
    }
  });
});
