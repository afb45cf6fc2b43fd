import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Broker, type BrokerOptions } from '../../src/broker/broker.js';
import { ownOp, OwnOpRefused } from '../../src/broker/dispatches/own-ops.js';
import type { Home } from '../../src/broker/home.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { PROGRAMS } from './support/built.js';
import { ScriptedHub } from './support/hub.js';
import { readableLog } from './support/log.js';
import { joinedHome } from './support/membership.js';

describe('a broker with ops of its own', () => {
  let before: Stock;
  let hub: ScriptedHub;
  let home: Home;
  const brokers: Broker[] = [];
  const { log } = readableLog();

  beforeEach(async () => {
    before = takeStock();
    hub = await ScriptedHub.open();
    home = await joinedHome(hub.url);
  });

  afterEach(async () => {
    for (const broker of brokers.splice(0)) await broker.stop({ stopAgents: false });
    await hub.close();
    rmSync(home.path, { recursive: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before, { withinMs: 6_000 });
  });

  const start = async (options: Partial<BrokerOptions>) => {
    const broker = await Broker.start({ home, log, programs: PROGRAMS, ...options });
    brokers.push(broker);
    return broker;
  };
  const stop = async (broker: Broker) => {
    brokers.splice(brokers.indexOf(broker), 1);
    await broker.stop({ stopAgents: false });
  };

  /** Begins, tells the test so, and goes on for ever; in its next life it ends at once. */
  function held(isRecoverable: boolean) {
    let hasBegun = (): void => undefined;
    const begun = new Promise<void>((resolve) => (hasBegun = resolve));
    let lives = 0;
    const op = ownOp('x.held', {
      isRecoverable,
      handle: () => {
        hasBegun();
        lives += 1;
        return lives === 1 ? new Promise<never>(() => undefined) : { lives };
      },
    });
    return { op, begun };
  }

  it('announces them, and no agents where it runs none, for which it does nothing either', async () => {
    await start({ runsAgents: false, ownOps: [held(false).op] });
    const link = await hub.link(0);

    const { id } = link.dispatch('agent.start', {});

    expect(link.hello.capabilities).toEqual(['attachments', 'agents', 'x.held']);
    expect(await link.result(id)).toMatchObject({ outcome: 'failed', error: { code: 'op_unknown' } });
  });

  it('tells of one that it learned, once, and does it', async () => {
    const broker = await start({ ownOps: [] });
    const link = await hub.link(0);
    const op = ownOp('x.echo', { handle: (args) => args });

    broker.addOp(op);

    expect(await link.next('capabilities')).toEqual({
      t: 'capabilities',
      revision: 2,
      capabilities: ['runtime.process', 'attachments', 'agents', 'x.echo'],
    });
    link.send({ t: 'capabilities_ack', revision: 2, stored: 2, error: null });
    const { id } = link.dispatch('x.echo', { said: 1 });
    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded', body: { said: 1 } });
    expect(() => broker.addOp(op)).toThrow(OwnOpRefused);
    expect(link.count('capabilities')).toBe(0);
  });

  it('does what the hub asks of any broker, though as many of its own as there is room for go on', async () => {
    const endless = ownOp('x.endless', { handle: () => new Promise<never>(() => undefined) });
    await start({ ownOps: [endless] });
    const link = await hub.link(0);
    for (let number = 0; number < 40; number += 1) link.dispatch('x.endless', {});

    const { id } = link.dispatch('broker.ping', {});

    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded' });
  });

  it('stops though one is under way, and does it again in its next life where it may', async () => {
    const { op, begun } = held(true);
    const broker = await start({ ownOps: [op] });
    const { id } = (await hub.link(0)).dispatch('x.held', {});
    await begun;

    await stop(broker);
    await start({ ownOps: [op] });

    const link = await hub.link(1);
    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded', body: { lives: 2 } });
  });

  it('begins in its next life what waited for its turn, though it may not be done again, and tells what had begun as lost', async () => {
    const { op, begun } = held(false);
    const first = await start({ ownOps: [op] });
    const link = await hub.link(0);
    const { id } = link.dispatch('x.held', {}, { key: 'k' });
    const waiting = link.dispatch('x.held', {}, { key: 'k' });
    await Promise.all([begun, link.acked(id), link.acked(waiting.id)]);

    await stop(first);
    await start({ ownOps: [op] });

    const next = await hub.link(1);
    expect((await next.next('inventory')).entries).toEqual([
      { id, attempt: 1, status: 'lost' },
      { id: waiting.id, attempt: 1, status: 'running' },
    ]);
    expect(await next.result(waiting.id)).toMatchObject({ outcome: 'succeeded', body: { lives: 2 } });
  });

  it('begins in its next life what waited for its turn also where the op is added to that one later', async () => {
    const { op, begun } = held(false);
    const first = await start({ ownOps: [op] });
    const link = await hub.link(0);
    const { id } = link.dispatch('x.held', {}, { key: 'k' });
    const waiting = link.dispatch('x.held', {}, { key: 'k' });
    await Promise.all([begun, link.acked(id), link.acked(waiting.id)]);
    await stop(first);

    (await start({})).addOp(op);

    expect(await (await hub.link(1)).result(waiting.id)).toMatchObject({ outcome: 'succeeded' });
  });

  it('tells one as lost in its next life where it may not be done again', async () => {
    const { op, begun } = held(false);
    const broker = await start({ ownOps: [op] });
    const { id } = (await hub.link(0)).dispatch('x.held', {});
    await begun;

    await stop(broker);
    await start({ ownOps: [op] });

    const { entries } = await (await hub.link(1)).next('inventory');
    expect(entries).toEqual([{ id, attempt: 1, status: 'lost' }]);
  });
});
