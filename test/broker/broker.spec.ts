import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { v7 as uuidv7 } from 'uuid';
import { Broker } from '../../src/broker/broker.js';
import { systemClocks } from '../../src/broker/clocks.js';
import { CLOSE_CODES, DISPLACED_BY } from '../../src/protocol/close-code.js';
import type { Home } from '../../src/broker/home.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { endRuns, HEEDS_NO_TERM, until, witnessedAgent } from './support/agents.js';
import { PROGRAMS } from './support/built.js';
import { ScriptedHub } from './support/hub.js';
import { LEVEL, readableLog, type LogLine } from './support/log.js';
import { joinedHome } from './support/membership.js';
import { QUICK } from './support/quick.js';

describe('a broker and its hub', () => {
  let before: Stock;
  let hub: ScriptedHub;
  let home: Home;
  let cleanups: (() => void | Promise<void>)[];
  const { log, lines } = readableLog();

  beforeEach(async () => {
    before = takeStock();
    lines.length = 0;
    hub = await ScriptedHub.open();
    home = await joinedHome(hub.url);
    cleanups = [
      () => hub.close(),
      () => endRuns(home.agentsPath),
      () => rmSync(home.path, { recursive: true, maxRetries: 30, retryDelay: 100 }),
    ];
  });

  afterEach(async () => {
    for (const cleanup of cleanups) await cleanup();
    await expectNoLeaks(before, { withinMs: 6_000 });
  });

  const start = async (times: Partial<typeof QUICK> = {}, clocks = systemClocks) => {
    const broker = await Broker.start({
      home,
      log,
      clocks,
      times: { ...QUICK, ...times },
      random: () => 0.5,
      programs: PROGRAMS,
    });
    let isStopped = false;
    const stop = async (options = { stopAgents: false }) => {
      if (isStopped) return;
      isStopped = true;
      await broker.stop(options);
    };
    cleanups.unshift(() => stop());
    return { broker, stop };
  };
  const anotherHub = async () => {
    const other = await ScriptedHub.open();
    cleanups.push(() => other.close());
    return other;
  };
  const agent = (script?: string, first?: string) => witnessedAgent(home.path, script, first);
  const logged = (text: string, level?: number) =>
    eventually(() => lines.find((line) => line.msg.includes(text) && (level ?? line.level) === line.level));
  const waits = (): number[] =>
    lines
      .filter((line): line is LogLine & { waitMs: number } => 'waitMs' in line)
      .map(({ waitMs }) => waitMs);

  describe('when they meet', () => {
    it('says who it is, what it can do and what it holds, and how many agents run', async () => {
      await start();

      const link = await hub.link(0);

      expect(link.hello).toMatchObject({
        lastEpoch: 0,
        software: expect.stringMatching(/^fairlead\//),
        capabilities: ['runtime.process', 'attachments', 'agents'],
        labels: { zone: 'test' },
        health: 'online',
      });
      expect(await link.next('inventory')).toEqual({ t: 'inventory', entries: [], last: true });
      expect(await link.next('heartbeat')).toMatchObject({ health: 'online', running: 0 });
    });

    it('is the same journal with a newer epoch, and another boot, after a restart', async () => {
      const first = await start();
      const { hello: before } = await hub.link(0);
      await (await hub.link(0)).next('inventory');
      await first.stop();
      await start();

      const { hello } = await hub.link(1);

      expect(hello).toMatchObject({ journalId: before.journalId, lastEpoch: 1 });
      expect(hello.bootId).not.toBe(before.bootId);
    });

    it('proves with its key who it is, and shows the token it was given', async () => {
      await start();
      await hub.link(0);

      const { brokerId, hubId } = await home.membership();
      expect(decodeJwt(hub.assertions[0] ?? '')).toMatchObject({ iss: brokerId, sub: brokerId, aud: hubId });
      expect(hub.bearers).toEqual(['token-1']);
    });

    it('uses its token again for the next link', async () => {
      await start();
      (await hub.link(0)).socket.terminate();
      await hub.link(1);

      expect(hub.bearers).toEqual(['token-1', 'token-1']);
    });

    it('learns from the hub that its clock is off, and is let in', async () => {
      const hubTime = new Date(Date.now() + 600_000).toISOString();
      hub.tokenRefusals.push({ status: 401, code: 'clock_skew', hubTime });

      await start();
      await hub.link(0);

      const [first, second] = hub.assertions.map((assertion) => decodeJwt(assertion).iat ?? 0);
      // However long the broker took until it asked, it goes by the time of the hub from then on.
      expect(first).toBeLessThan(Date.parse(hubTime) / 1_000 - 300);
      expect(second).toBeGreaterThanOrEqual(Math.floor(Date.parse(hubTime) / 1_000));
    });
  });

  describe('given a command', () => {
    it('acks it, does it, and tells its result', async () => {
      await start();
      const link = await hub.link(0);

      const { id } = link.dispatch('broker.ping', {});

      await link.acked(id);
      expect(await link.result(id)).toMatchObject({
        outcome: 'succeeded',
        body: { time: expect.any(String) },
      });
    });

    it('answers a repeat from the journal, and has its effect once', async () => {
      await start();
      const web = agent();
      const link = await hub.link(0);
      const item = link.dispatch('agent.start', web.start());
      const first = await link.result(item.id);

      link.send({ t: 'dispatch', dispatches: [{ ...item, attempt: 2 }] });

      expect(await link.result(item.id)).toEqual({ ...first, attempt: 2 });
      expect(await web.witnessed()).toHaveLength(1);
    });

    it.each([
      ['of an op that it does not have', 'agent.fly', {}, 'op_unknown'],
      ['with arguments that it cannot read', 'agent.stop', { agentId: '../..' }, 'args_invalid'],
    ])('%s says so', async (_what, op, args, code) => {
      await start();
      const link = await hub.link(0);

      const { id } = link.dispatch(op, args);

      expect(await link.result(id)).toMatchObject({ outcome: 'failed', error: { code, retryable: false } });
    });

    it('whose deadline has passed does not begin it', async () => {
      await start();
      const web = agent();
      const link = await hub.link(0);

      const { id } = link.dispatch('agent.start', web.start(), { remainingMs: 0 });

      expect(await link.result(id)).toMatchObject({ outcome: 'failed', error: { code: 'deadline_passed' } });
      expect(web.pids()).toEqual([]);
    });

    it('tells its result on every new link, until the hub confirms it', async () => {
      await start();
      const first = await hub.link(0);
      const { id } = first.dispatch('broker.ping', {});
      const result = await first.result(id);
      first.socket.terminate();

      const second = await hub.link(1);
      expect(await second.next('inventory')).toMatchObject({ entries: [{ id, status: 'ended' }] });
      expect(await second.result(id)).toEqual(result);
      second.send({ t: 'confirm', ids: [id] });
      const other = second.dispatch('broker.ping', {});
      await second.result(other.id);
      second.socket.terminate();

      const third = await hub.link(2);
      expect((await third.next('inventory')).entries.map((entry) => entry.id)).toEqual([other.id]);
    });

    it('goes on with it when the link is lost, and tells the result on the next', async () => {
      await start();
      // It ends when it is told to, and not sooner than the broker has come back, however long that takes.
      const sign = join(home.path, 'may-end');
      const web = agent(until(sign), HEEDS_NO_TERM);
      const first = await hub.link(0);
      const started = web.start();
      await first.result(first.dispatch('agent.start', started).id);
      await web.witnessed();
      const { id } = first.dispatch('agent.stop', { ...started, graceMs: 60_000 });
      await first.acked(id);
      first.socket.terminate();

      const second = await hub.link(1);

      const { entries } = await second.next('inventory');
      expect(entries).toContainEqual({ id, attempt: 1, status: 'running' });
      writeFileSync(sign, '');
      expect(await second.result(id)).toMatchObject({ outcome: 'succeeded' });
    });

    it('reads on while it works: one slow command holds up no other', async () => {
      await start();
      const sign = join(home.path, 'may-end');
      const web = agent(until(sign), HEEDS_NO_TERM);
      const link = await hub.link(0);
      const started = web.start();
      await link.result(link.dispatch('agent.start', started).id);
      await web.witnessed();
      const stop = link.dispatch('agent.stop', { ...started, graceMs: 60_000 });

      await link.result(link.dispatch('broker.ping', {}).id);

      expect(link.count('result')).toBe(0);
      writeFileSync(sign, '');
      await link.result(stop.id);
    });
  });

  describe('with agents', () => {
    it('counts those that run in its heartbeats', async () => {
      hub.welcome = { heartbeatMs: 50 };
      await start();
      const link = await hub.link(0);
      await link.result(link.dispatch('agent.start', agent().start()).id);

      await link.find(
        (frame) => frame.t === 'heartbeat' && frame.running === 1,
        'a heartbeat with one agent',
      );
    });

    it('tells how each of them is on every new link, and nothing of those that are deleted', async () => {
      await start();
      const first = await hub.link(0);
      const [runs, failed, deleted] = [agent(), agent('exit 3'), agent('exit 0')];
      const orders = [runs, failed, deleted].map((each) => each.start());
      for (const order of orders) await first.result(first.dispatch('agent.start', order).id);
      await first.find(
        (frame) => frame.t === 'event' && frame.agents.some(({ phase }) => phase === 'failed'),
        'a failed agent',
      );
      const deletion = { agentId: deleted.agentId, runId: null, graceMs: 0 };
      await first.result(first.dispatch('agent.delete', deletion).id);
      first.socket.terminate();

      const { agents } = await (await hub.link(1)).next('event');

      const told = Object.fromEntries(agents.map(({ agentId, ...report }) => [agentId, report]));
      expect(told).toEqual({
        [runs.agentId]: {
          runId: orders[0]?.runId,
          phase: 'running',
          exitCode: null,
          detail: null,
          restarts: 0,
        },
        [failed.agentId]: {
          runId: orders[1]?.runId,
          phase: 'failed',
          exitCode: 3,
          detail: expect.any(String),
          restarts: 0,
        },
      });
    });

    it('tells all of them as a list when it is asked to, and their digest in its heartbeats', async () => {
      hub.welcome = { heartbeatMs: 50 };
      await start();
      const link = await hub.link(0);
      expect(await link.next('event')).toEqual({ t: 'event', agents: [], list: 'last' });
      const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');
      expect((await link.next('heartbeat')).agents).toBe(digestOf(''));
      const one = agent().start();
      await link.result(link.dispatch('agent.start', one).id);

      const line = `${one.agentId} ${one.runId} running\n`;
      await link.find((frame) => frame.t === 'heartbeat' && frame.agents === digestOf(line), 'its digest');
      link.send({ t: 'agents_wanted' });

      const list = await link.find((frame) => frame.t === 'event' && frame.list === 'last', 'a list');
      expect(list).toMatchObject({ agents: [{ agentId: one.agentId, runId: one.runId, phase: 'running' }] });
    });

    it('does not start where the folder of its agents cannot be read: they would be taken for lost', async () => {
      writeFileSync(home.agentsPath, 'no folder');

      await expect(start()).rejects.toMatchObject({ code: 'ENOTDIR' });
      rmSync(home.agentsPath);
    });

    it('lets them go on when it stops, finds them again, and says goodbye to the hub', async () => {
      const first = await start();
      const link = await hub.link(0);
      const web = agent();
      await link.result(link.dispatch('agent.start', web.start()).id);

      await first.stop();

      expect(await link.next('goodbye')).toMatchObject({ reason: 'the broker stops' });
      expect((await link.ended).code).toBe(1000);
      await start();
      const { agents } = await (await hub.link(1)).next('event');
      expect(agents).toMatchObject([{ agentId: web.agentId, phase: 'running' }]);
      expect(await web.witnessed()).toHaveLength(1);
    });

    it('stops them with itself where it is asked to, and tells the hub', async () => {
      const { stop } = await start();
      const link = await hub.link(0);
      await link.result(link.dispatch('agent.start', agent().start()).id);

      await stop({ stopAgents: true });

      await link.find(
        (frame) => frame.t === 'event' && frame.agents.some(({ phase }) => phase === 'stopped'),
        'a stopped agent',
      );
    });

    it('lets go of all else where its agents cannot be found, though it was to stop them', async () => {
      const { stop } = await start();
      const link = await hub.link(0);
      await link.next('event');
      writeFileSync(home.agentsPath, 'no folder');

      await stop({ stopAgents: true });

      await logged('could not be stopped', LEVEL.error);
      expect(await link.next('goodbye')).toMatchObject({ reason: 'the broker stops' });
      rmSync(home.agentsPath);
    });
  });

  describe('whose replica goes', () => {
    it('connects to an address that it learned, where its own is gone', async () => {
      const other = await anotherHub();
      hub.welcome = { alternatives: [other.url] };
      await start();
      await hub.link(0);

      await hub.close();

      expect((await other.link(0)).hello.lastEpoch).toBe(1);
    });

    it('connects to one that it was told of with the answer to a heartbeat, in place of those before', async () => {
      const [gone, other] = [await anotherHub(), await anotherHub()];
      hub.welcome = { alternatives: [gone.url] };
      await start();
      const link = await hub.link(0);
      link.send({ t: 'heartbeat_ack', hubTime: new Date().toISOString(), alternatives: [other.url] });
      const { id } = link.dispatch('broker.ping', {});
      await link.result(id);
      link.send({ t: 'confirm', ids: [id] });

      await hub.close();

      expect((await other.link(0)).hello.lastEpoch).toBe(1);
      expect(gone.links).toHaveLength(0);
    });

    it('knows what it learned also after a restart', async () => {
      const other = await anotherHub();
      hub.welcome = { alternatives: [other.url] };
      const { stop } = await start();
      await (await hub.link(0)).next('inventory');
      await stop();
      await hub.close();

      await start();

      await other.link(0);
    });

    it('moves when it is told to: the new link first, then goodbye to the old one', async () => {
      const other = await anotherHub();
      await start();
      const old = await hub.link(0);
      const order: string[] = [];
      old.onFrame = ({ t }) => order.push(`old ${t}`);
      other.onHello = () => order.push('new hello');

      old.send({
        t: 'going_away',
        reason: 'draining',
        deadlineMs: 10_000,
        slotMs: 0,
        alternatives: [other.url],
      });

      const link = await other.link(0);
      expect(await old.next('goodbye')).toMatchObject({ reason: 'moved to another replica' });
      // What else is on its way over the old link, such as a beat, may come in between.
      expect(order.filter((step) => /hello|goodbye/.test(step))).toEqual(['new hello', 'old goodbye']);
      expect((await old.ended).code).toBe(1000);
      await link.result(link.dispatch('broker.ping', {}).id);
    });

    it('waits for its slot, and serves on the old link meanwhile', async () => {
      const other = await anotherHub();
      await start();
      const old = await hub.link(0);
      await old.next('inventory');
      const toldMs = performance.now();

      old.send({
        t: 'going_away',
        reason: 'draining',
        deadlineMs: 10_000,
        slotMs: 500,
        alternatives: [other.url],
      });
      await old.result(old.dispatch('broker.ping', {}).id);
      await other.link(0);

      expect((other.attemptsMs[0] ?? 0) - toldMs).toBeGreaterThanOrEqual(490);
    });

    it('stays where it is while there is nowhere else to go', async () => {
      await start();
      const old = await hub.link(0);
      await old.next('inventory');
      hub.refusals.push({ status: 503, retryAfterS: 3_600 });

      old.send({ t: 'going_away', reason: 'draining', deadlineMs: 10_000, slotMs: 0, alternatives: [] });
      await eventually(() => hub.refusals.length === 0);

      await old.result(old.dispatch('broker.ping', {}).id);
    });

    it('begins nothing new from the old link once the new one is welcomed', async () => {
      const other = await anotherHub();
      const web = agent();
      await start();
      const old = await hub.link(0);
      await old.next('inventory');
      old.send({
        t: 'going_away',
        reason: 'draining',
        deadlineMs: 10_000,
        slotMs: 0,
        alternatives: [other.url],
      });
      old.onFrame = (frame) => {
        // The goodbye is on its way, and the old replica has not read it yet.
        if (frame.t === 'goodbye') old.dispatch('agent.start', web.start());
      };

      const link = await other.link(0);
      await logged('new work on an older link is not begun');

      await link.result(link.dispatch('broker.ping', {}).id);
      expect(web.pids()).toEqual([]);
    });
  });

  describe('that is refused', () => {
    it('renews its token once at once, and then only slowly, saying what to do', async () => {
      hub.refusals.push({ status: 401 }, { status: 401 }, { status: 401 });

      await start();
      await hub.link(0);

      expect(hub.bearers).toEqual(['token-1', 'token-2', 'token-3', 'token-4']);
      expect(waits()[0]).toBeLessThanOrEqual(QUICK.baseMs);
      expect(Math.min(...waits().slice(1))).toBeGreaterThanOrEqual(QUICK.capMs / 2);
      await logged('join again', LEVEL.error);
    });

    it('comes back when it was told to', async () => {
      hub.refusals.push({ status: 503, retryAfterS: 1 });

      await start();
      await hub.link(0);

      const [first, second] = hub.attemptsMs;
      expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(990);
    });

    it('does not wait for one replica that cannot serve, where there is another', async () => {
      const other = await anotherHub();
      await home.keepMembership({ ...(await home.membership()), urls: [hub.url, other.url] });
      hub.refusals.push({ status: 503, retryAfterS: 3_600 });

      await start();

      await other.link(0);
    });

    it('comes again to the replica that gave it a turn, and once', async () => {
      const other = await anotherHub();
      await home.keepMembership({ ...(await home.membership()), urls: [hub.url, other.url] });
      const noRoom = { status: 429, code: 'admission_budget_spent', retryAfterS: 0 };
      hub.refusals.push(noRoom, noRoom);

      await start();
      await other.link(0);

      expect(hub.attemptsMs).toHaveLength(2);
      expect(other.attemptsMs).toHaveLength(1);
    });

    it('goes on for ever, more slowly, where it was revoked', async () => {
      hub.refusals.push({ status: 403, code: 'broker_revoked' });

      await start();
      await hub.link(0);

      expect(waits()[0]).toBeGreaterThanOrEqual(QUICK.capMs);
      await logged('revoked', LEVEL.error);
    });
  });

  describe('whose link ends', () => {
    it.each([
      ['by a plain displacement', CLOSE_CODES.displaced, DISPLACED_BY.itself],
      ['because the registry is unavailable', 4503, ''],
      ['in peace', 1000, ''],
      ['for an unknown reason', 4999, ''],
    ])('%s opens it again', async (_how, code, reason) => {
      await start();
      (await hub.link(0)).socket.close(code, reason);

      await hub.link(1);
    });

    it('is over where another instance took its place, since two of them would do so for ever', async () => {
      const { broker } = await start();

      (await hub.link(0)).socket.close(CLOSE_CODES.displaced, DISPLACED_BY.another);

      expect(await broker.done).toBe('displaced');
      await logged('this broker stops', LEVEL.fatal);
    });

    it('asks for a new token where the old one ran out', async () => {
      await start();
      (await hub.link(0)).socket.close(4401, 'expired');

      await hub.link(1);

      expect(hub.bearers).toEqual(['token-1', 'token-2']);
    });

    it('cuts it where the hub says what is no frame, and comes back', async () => {
      await start();
      const link = await hub.link(0);

      link.socket.send('{"t":"nonsense"}');

      expect(await link.ended).toMatchObject({ code: 4400 });
      await hub.link(1);
    });

    it('cuts it where the hub is silent, and comes back', async () => {
      await start({ pingMs: 50 });
      const link = await hub.link(0);

      link.socket.pause();

      await hub.link(1);
      link.socket.resume();
      await logged('heard nothing for too long');
    });

    it('does not act on what comes out of it after a sleep of the machine: that is of yesterday', async () => {
      let sleptMs = 0;
      await start({}, { ...systemClocks, wallMs: () => Date.now() + sleptMs });
      const web = agent();
      const link = await hub.link(0);
      await link.next('heartbeat');

      sleptMs = 8 * 3_600_000;
      link.dispatch('agent.start', web.start());

      expect(await link.ended).toMatchObject({ code: 4408 });
      expect(await (await hub.link(1)).next('inventory')).toMatchObject({ entries: [] });
      expect(link.count('ack')).toBe(0);
      expect(web.pids()).toEqual([]);
    });

    it('does not serve under an epoch that did not grow', async () => {
      hub.welcome = { epoch: 7 };
      await start();
      (await hub.link(0)).socket.close(1001);

      expect(await (await hub.link(1)).ended).toMatchObject({ code: 4400, reason: 'the epoch did not grow' });
    });
  });

  describe('that is to stop', () => {
    it('does so while it waits for the next attempt', async () => {
      hub.refusals.push({ status: 503, retryAfterS: 3_600 });
      const { broker, stop } = await start();
      await eventually(() => hub.attemptsMs.length === 1);

      await stop();

      expect(await broker.done).toBe('stopped');
    });

    it('does so while a hub keeps it waiting for the welcome', async () => {
      hub.welcome = null;
      const { stop } = await start({ welcomeWithinMs: 60_000 });
      await eventually(() => hub.attemptsMs.length === 1);

      await stop();
    });

    it('does so before the first attempt', async () => {
      const { stop } = await start();

      await stop();
    });

    it('leaves a command that it is within to its next life', async () => {
      const first = await start();
      // It ends when it is told to, and not sooner than the broker has come back, however long that takes.
      const sign = join(home.path, 'may-end');
      const web = agent(`${until(sign)}; exit 3`, HEEDS_NO_TERM);
      const link = await hub.link(0);
      const started = web.start();
      await link.result(link.dispatch('agent.start', started).id);
      await web.witnessed();
      const { id } = link.dispatch('agent.stop', { ...started, graceMs: 60_000 });
      await link.acked(id);

      await first.stop();
      await start();

      const next = await hub.link(1);
      expect((await next.next('inventory')).entries).toContainEqual({ id, attempt: 1, status: 'running' });
      writeFileSync(sign, '');
      expect(await next.result(id)).toMatchObject({ outcome: 'succeeded', body: { exitCode: 3 } });
    });
  });

  it('begins anew after what it cannot read of its journal, and tells the hub so by another identity', async () => {
    const first = await start();
    const { hello } = await hub.link(0);
    await first.stop();
    rmSync(home.journalPath, { recursive: true });

    await start();

    expect((await hub.link(1)).hello.journalId).not.toBe(hello.journalId);
  });

  it('does not start without a membership', async () => {
    rmSync(home.membershipPath);

    await expect(start()).rejects.toMatchObject({ code: 'broker_not_joined' });
  });

  it('takes a stop of what it never ran for done', async () => {
    await start();
    const link = await hub.link(0);

    const { id } = link.dispatch('agent.stop', { agentId: uuidv7(), runId: uuidv7(), graceMs: 0 });

    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded', body: { exitCode: null } });
  });
});
