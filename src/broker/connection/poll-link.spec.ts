import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../../../test/support/leaks.js';
import type { Hello, HubFrame } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Clocks } from '../clocks.js';
import type { Link } from './link.js';
import { AHEAD_BYTES } from './pace.js';
import { openPollLink } from './poll-link.js';

const UUID = '0198c0de-0000-7000-8000-000000000001';
const HELLO: Hello = {
  t: 'hello',
  protocol: { min: 1, max: 1 },
  bootId: UUID,
  journalId: UUID,
  lastEpoch: 0,
  software: 'x/1',
  capabilities: [],
  labels: {},
  window: 1,
  health: 'online',
};
const WELCOME: HubFrame = {
  t: 'welcome',
  connectionId: UUID,
  brokerId: UUID,
  epoch: 1,
  protocol: 1,
  heartbeatMs: 15_000,
  livenessMs: 45_000,
  limits: { frameBytes: 1, resultBytes: 1, window: 1 },
  hubVersion: '1',
  hubTime: 'now',
  alternatives: [],
  attachments: [],
  capabilitiesRevision: 1,
};

type Asked = { body: { first: number; frames: object[]; received: number }; token: string; answer: Answer };
type Answer = (body: unknown, status?: number) => void;

describe('a link over polls', () => {
  let before: Stock;
  let server: Server;
  let link: Link;
  let asked: Asked[];
  let tokens: number;
  let arrived: HubFrame[];
  /** By which the clock of the wall is ahead of the others. */
  let sleptMs: number;
  let readings: number;
  const clocks: Clocks = {
    monotonicMs: () => performance.now(),
    wallMs: () => {
      readings += 1;
      return Date.now() + sleptMs;
    },
  };

  beforeEach(async () => {
    before = takeStock();
    [asked, tokens, arrived, sleptMs, readings] = [[], 1, [], 0, 0];
    server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => (text += part));
      request.on('end', () => {
        const token = String(request.headers.authorization);
        asked.push({
          body: JSON.parse(text),
          token,
          answer: (body, status) => answer(response, body, status),
        });
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const way = {
      urls: () => [`http://127.0.0.1:${port}`],
      show: (_url: string, connectionId?: string) =>
        Promise.resolve({ authorization: `DPoP t${tokens}`, dpop: connectionId ?? 'first' }),
      refused: () => void (tokens += 1),
    };
    const signal = new AbortController().signal;
    const opening = openPollLink(way, () => HELLO, clocks, { welcomeWithinMs: 5_000 }, signal);
    (await nth(0)).answer({ first: 1, frames: [WELCOME, { t: 'inventory_ok' }], received: 1, closed: null });
    link = await opening;
    link.listen((frame) => arrived.push(frame));
  });

  afterEach(async () => {
    link.cut('timed_out', 'the test is over');
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await expectNoLeaks(before, { withinMs: 6_000 });
  });

  const nth = (index: number) => eventually(() => asked[index]);
  /** The link has looked at how long ago it was that something came: a look has two readings of the clock. */
  const watched = async () => {
    const before = readings;
    await eventually(() => readings >= before + 4);
  };
  const nothing = (received: number) => ({ first: 3, frames: [], received, closed: null });
  const goodbye = { t: 'goodbye', reason: 'x' } as const;
  const beat = { t: 'heartbeat', health: 'online', load: null, running: 0 } as const;

  it('hands on what came with the welcome, and polls on', async () => {
    expect(arrived).toEqual([{ t: 'inventory_ok' }]);
    expect((await nth(1)).body).toEqual({ connectionId: UUID, first: 2, frames: [], received: 2 });
  });

  it('says what it has by a second poll, and again until that was seen taken', async () => {
    await nth(1);
    link.send(beat);
    link.send(beat);
    expect((await nth(2)).body).toMatchObject({ first: 2, frames: [beat, beat] });

    (await nth(2)).answer({ title: 'away' }, 503);
    (await nth(1)).answer(nothing(1));
    const again = await nth(3);
    again.answer(nothing(3));

    expect(again.body).toMatchObject({ first: 2, frames: [beat, beat] });
    expect((await nth(4)).body).toMatchObject({ first: 4, frames: [] });
  });

  it('takes a frame once, although two answers bring it', async () => {
    const held = await nth(1);
    link.send(beat);
    const second = await nth(2);
    const frames = [{ t: 'heartbeat_ack', hubTime: 'now' }];

    second.answer({ first: 3, frames, received: 2, closed: null });
    held.answer({ first: 3, frames, received: 2, closed: null });

    await eventually(() => asked.length > 3);
    expect(arrived.filter(({ t }) => t === 'heartbeat_ack')).toHaveLength(1);
    expect(asked.at(-1)?.body.received).toBe(3);
  });

  it('asks for another token where the hub takes its own no more, and goes on', async () => {
    (await nth(1)).answer({ code: 'credential_invalid' }, 401);

    const again = await nth(2);

    expect([asked[1]?.token, again.token]).toEqual(['DPoP t1', 'DPoP t2']);
    expect(link.isOpen).toBe(true);
  });

  it.each([
    [409, 'connection_lost', 1006],
    [403, 'broker_revoked', 4403],
    [400, 'request_invalid', 4400],
  ])('ends where a poll is refused with %i %s', async (status, code, closed) => {
    (await nth(1)).answer({ code, detail: 'why' }, status);

    expect(await link.ended).toMatchObject({ code: closed, reason: 'why' });
    expect(link.send(beat)).toBe(false);
  });

  it('ends where the next token is not taken either', async () => {
    (await nth(1)).answer({ code: 'credential_invalid', detail: 'why' }, 401);
    (await nth(2)).answer({ code: 'credential_invalid', detail: 'why' }, 401);

    expect(await link.ended).toMatchObject({ code: 4401 });
  });

  it.each([
    ['that leaves frames out', { first: 9, frames: [], received: 1, closed: null }],
    ['with a frame of another wire', { first: 3, frames: [{ t: 'promote' }], received: 1, closed: null }],
    ['that is none', { hello: 'world' }],
  ])('ends with 4400 over an answer %s', async (_what, body) => {
    (await nth(1)).answer(body);

    expect(await link.ended).toMatchObject({ code: 4400 });
  });

  it('ends as the hub says, after the frames before that', async () => {
    const closed = { code: 4409, reason: 'a newer connection is in use' };
    (await nth(1)).answer({ first: 3, frames: [{ t: 'confirm', ids: [UUID] }], received: 1, closed });

    expect(await link.ended).toMatchObject(closed);
    expect(arrived.at(-1)).toEqual({ t: 'confirm', ids: [UUID] });
  });

  it('says goodbye, and ends when that is answered', async () => {
    await nth(1);
    link.goodbye('x');

    const { body, answer } = await nth(2);
    answer({ first: 3, frames: [], received: 2, closed: { code: 1000, reason: 'x' } });

    expect(body.frames).toEqual([goodbye]);
    expect(await link.ended).toMatchObject({ code: 1000, reason: 'x' });
  });

  it('ends with 4429 once more is unsaid than a hub may leave', async () => {
    const large = { t: 'goodbye', reason: 'x'.repeat(1024 * 1024) } as const;
    const most = Math.floor(LIMITS.bufferedBytes / Buffer.byteLength(JSON.stringify(large)));

    for (let count = 0; count < most; count += 1) expect(link.send(large)).toBe(true);
    expect(link.send(large)).toBe(false);

    expect(await link.ended).toMatchObject({ code: 4429 });
  });

  it('is behind while much was not seen taken, and has caught up once it was', async () => {
    let hasCaughtUp = false;
    link.send(beat);
    const isBehindOfLittle = link.pace.isBehind;
    link.send({ t: 'goodbye', reason: 'x'.repeat(AHEAD_BYTES) });
    void link.pace.caughtUp().then(() => (hasCaughtUp = true));
    const bringing = await nth(2);
    const whileUntaken = [link.pace.isBehind, hasCaughtUp];

    bringing.answer(nothing(3));
    await eventually(() => hasCaughtUp);

    expect(isBehindOfLittle).toBe(false);
    expect(whileUntaken).toEqual([true, false]);
    expect(link.pace.isBehind).toBe(false);
  });

  it('takes more than a hub may leave from whoever waits while it is behind', async () => {
    const large = { t: 'goodbye', reason: 'x'.repeat(AHEAD_BYTES) } as const;
    const count = 2 * (LIMITS.bufferedBytes / AHEAD_BYTES);
    const saying = (async () => {
      for (let index = 0; index < count; index += 1) {
        await link.pace.caughtUp();
        expect(link.send(large)).toBe(true);
      }
    })();

    let received = 1;
    for (let index = 1; received <= count; index += 1) {
      const { body, answer } = await nth(index);
      received = Math.max(received, body.first + body.frames.length - 1);
      answer(nothing(received));
    }
    await saying;

    expect(received).toBe(1 + count);
    expect(link.isOpen).toBe(true);
  });

  it('ends with 4429 where the hub answers and takes nothing for longer than two polls may take', async () => {
    link.send(beat);
    const both = [await nth(1), await nth(2)];
    sleptMs = 40_000;
    for (const each of both) each.answer(nothing(1));
    await nth(3);
    await watched();
    const wasOpen = link.isOpen;

    sleptMs = 80_000;

    expect(await link.ended).toMatchObject({ code: 4429 });
    expect(wasOpen).toBe(true);
  });

  it('lasts for as long where there was nothing to be taken', async () => {
    for (const turn of [1, 2]) {
      sleptMs = turn * 40_000;
      (await nth(turn)).answer(nothing(1));
      await nth(turn + 1);
    }
    await watched();

    link.send(beat);
    await watched();

    expect(link.isOpen).toBe(true);
  });
});

function answer(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
