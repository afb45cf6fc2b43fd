import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Broker } from '../../src/broker/broker.js';
import { LINK_TIMES } from '../../src/broker/connection/link.js';
import { ownOp } from '../../src/broker/dispatches/own-ops.js';
import type { Home } from '../../src/broker/home.js';
import { PlayedHub } from '../../src/conformance/of-broker/played-hub.js';
import type { SeenLink } from '../../src/conformance/of-broker/seen-link.js';
import { PACE } from '../../src/conformance/pace.js';
import { CLOSE_CODES, DISPLACED_BY } from '../../src/protocol/close-code.js';
import type { Hello } from '../../src/protocol/frame.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { PROGRAMS } from './support/built.js';
import { readableLog } from './support/log.js';
import { joinedHome } from './support/membership.js';

const TIMES = { ...LINK_TIMES, baseMs: 20, capMs: 200, goodLinkMs: 30_000, socketAgainMs: 50 };
const LINK_WITHIN_MS = 20_000;

/** One whose WebSocket has said hello and is not welcomed, while its polls serve. */
describe('a broker over polls that tries for a WebSocket', () => {
  let before: Stock;
  let hub: PlayedHub;
  let home: Home;
  let broker: Broker;
  let polls: SeenLink;
  let hello: Hello;
  let seeking: SeenLink;

  beforeEach(async () => {
    before = takeStock();
    hub = await PlayedHub.listen({ host: '127.0.0.1', port: 0 }, PACE);
    home = await joinedHome(hub.url);
    hub.isWalled = true;
    broker = await Broker.start({
      home,
      log: readableLog().log,
      programs: PROGRAMS,
      times: TIMES,
      runsAgents: false,
    });
    polls = await hub.links.next('a link over polls', () => true, LINK_WITHIN_MS);
    await polls.next('inventory');
    hub.isWelcoming = false;
    hub.isWalled = false;
    seeking = await hub.held.next('a WebSocket', ({ isOpen }) => isOpen, LINK_WITHIN_MS);
    if (seeking.hello === undefined) throw new Error('the WebSocket said no hello');
    hello = seeking.hello;
  });

  afterEach(async () => {
    await broker.stop({ stopAgents: false });
    await hub.close();
    rmSync(home.path, { recursive: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before, { withinMs: 6_000 });
  });

  it('tells over the polls what it learns meanwhile', async () => {
    broker.addOp(ownOp('x.learned', { handle: () => null }));

    expect((await polls.next('capabilities')).capabilities).toContain('x.learned');
  });

  it('tells it again over the WebSocket whose hello did not say it, once that is welcomed', async () => {
    broker.addOp(ownOp('x.learned', { handle: () => null }));
    await polls.next('capabilities');

    hub.greet(seeking, hello);

    expect(hello.capabilities).not.toContain('x.learned');
    expect((await seeking.next('capabilities')).capabilities).toContain('x.learned');
  });

  it('stops for a copy of it that takes the polls away', async () => {
    let reason: string | undefined;
    void broker.done.then((why) => (reason = why));

    polls.socket.close(CLOSE_CODES.displaced, DISPLACED_BY.another);

    expect(await eventually(() => reason)).toBe('displaced');
  });
});
