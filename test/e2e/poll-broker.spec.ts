import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Broker } from '../../src/broker/broker.js';
import { LINK_TIMES } from '../../src/broker/connection/link.js';
import { ownOp } from '../../src/broker/dispatches/own-ops.js';
import { Home } from '../../src/broker/home.js';
import { joinBroker } from '../../src/broker/join.js';
import { PROGRAMS } from '../broker/support/built.js';
import { readableLog } from '../broker/support/log.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { memoryFolder } from '../support/memory-folder.js';
import { UpgradeProxy } from '../support/upgrade-proxy.js';

const TIMES = { ...LINK_TIMES, baseMs: 20, capMs: 400, goodLinkMs: 1_000, socketAgainMs: 200 };

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start(2);
}, 120_000);

afterAll(async () => {
  await cluster.stop();
  await expectNoLeaks(undefined, { withinMs: 20_000 });
});

/** The tests follow one broker from a network that breaks WebSockets into one that does not. */
describe.each([
  ['refuses every WebSocket', 'refused', TIMES],
  // What comes of one is known by waiting alone.
  ['takes every WebSocket, and passes nothing on', 'swallowed', { ...TIMES, welcomeWithinMs: 4_000 }],
] as const)('a broker behind something that %s', (_how, upgradesAre, times) => {
  let proxy: UpgradeProxy;
  let broker: Broker;
  let brokerId: string;
  const home = new Home(memoryFolder('fairlead-polls-'));
  const { log, lines } = readableLog();
  /** What was done, by the command's own number. */
  const done = new Map<number, number>();
  let next = 0;

  beforeAll(async () => {
    proxy = await UpgradeProxy.open([cluster.hub(0).url, cluster.hub(1).url]);
    proxy.upgradesAre = upgradesAre;
    const { body } = await cluster.api(0).post('/api/v1/join-tokens', {});
    ({ brokerId } = await joinBroker({
      home: home.path,
      urls: [proxy.url],
      token: body.token,
      name: `walled-${upgradesAre}`,
      labels: {},
    }));
    const count = ownOp('x.count', {
      handle: ({ number }) => {
        done.set(Number(number), (done.get(Number(number)) ?? 0) + 1);
        return { number: Number(number) };
      },
    });
    broker = await Broker.start({
      home,
      log,
      programs: PROGRAMS,
      times,
      runsAgents: false,
      ownOps: [count],
    });
  }, 120_000);

  afterAll(async () => {
    await broker.stop({ stopAgents: false });
    await proxy.close();
    rmSync(home.path, { recursive: true, force: true });
  });

  const ownership = async () => (await cluster.api(0).get(`/api/v1/brokers/${brokerId}`)).body.ownership;
  const command = async (at: number) => {
    next += 1;
    const body = { op: 'x.count', args: { number: next } };
    const { body: answer } = await cluster
      .api(at)
      .post(`/api/v1/brokers/${brokerId}/dispatches`, body, { prefer: 'wait=60' });
    return answer.dispatch;
  };
  const isEachDoneOnce = () => [...done.values()].every((times) => times === 1) && done.size === next;

  it('polls, and does what is asked at any replica, although its polls land on either', async () => {
    await eventually(async () => (await ownership())?.replica != null, { withinMs: 20_000 });

    const ended = await Promise.all(Array.from({ length: 20 }, (_each, index) => command(index % 2)));

    expect(ended.map(({ state }) => state)).toEqual(Array.from({ length: 20 }, () => 'succeeded'));
    expect(isEachDoneOnce()).toBe(true);
    expect(await ownership()).toMatchObject({ transport: 'poll', epoch: 1 });
    expect(Math.min(...proxy.passed)).toBeGreaterThan(1);
  });

  it.each([
    ['an answer with the command', '"t":"dispatch"'],
    ['the answer that confirms its result', '"t":"confirm"'],
  ])('does a command once although %s is lost', async (_what, part) => {
    const lost = proxy.lose((answer) => answer.includes(part));

    const ended = await command(1);
    await lost;

    expect(ended).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(isEachDoneOnce()).toBe(true);
    expect(await ownership()).toMatchObject({ transport: 'poll', epoch: 1 });
  });

  it('goes back to a WebSocket once one opens, and loses and doubles nothing on the way', async () => {
    const ended: Promise<{ state: string }>[] = [];
    proxy.upgradesAre = 'passed';
    // Its polls learn of the newer link before its welcome is there.
    proxy.lateMs = 1_500;

    while ((await ownership()).transport !== 'websocket') {
      ended.push(command(ended.length % 2));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    ended.push(command(0), command(1));

    expect((await Promise.all(ended)).every(({ state }) => state === 'succeeded')).toBe(true);
    expect(isEachDoneOnce()).toBe(true);
    await eventually(() => lines.some(({ msg }) => msg.includes('a WebSocket opens again')));
    expect(await ownership()).toMatchObject({ transport: 'websocket', epoch: 2 });
  });

  it('does not poll because a WebSocket was dropped', async () => {
    proxy.cutTunnels();

    await eventually(async () => (await ownership()).epoch === 3, { withinMs: 20_000 });
    expect(await ownership()).toMatchObject({ transport: 'websocket' });
    expect(await command(1)).toMatchObject({ state: 'succeeded' });
  });
});
