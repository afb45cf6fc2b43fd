import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { CLOSE_CODES, DISPLACED_BY } from '../../src/protocol/close-code.js';
import type { Home } from '../../src/broker/home.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD } from '../support/hub-process.js';
import { expectNoLeaks, takeStock, type Stock } from '../support/leaks.js';
import { endRuns, FOREVER, HEEDS_NO_TERM, isProcess, witnessedAgent } from './support/agents.js';
import { ScriptedHub, type HubLink } from './support/hub.js';
import { joinedHome } from './support/membership.js';
import { messageOf, READS } from './support/messages.js';

describe('the broker as a user runs it', () => {
  let before: Stock;
  let hub: ScriptedHub;
  let home: Home;
  let children: ChildProcess[];

  beforeEach(async () => {
    before = takeStock();
    hub = await ScriptedHub.open();
    home = await joinedHome(hub.url);
    children = [];
  });

  afterEach(async () => {
    await Promise.all(children.map(kill));
    await endRuns(home.agentsPath);
    await hub.close();
    rmSync(home.path, { recursive: true, maxRetries: 30, retryDelay: 100 });
    await expectNoLeaks(before);
  });

  const start = (...options: string[]) => {
    const child = spawn(process.execPath, [FAIRLEAD, 'broker', 'start', '--home', home.path, ...options], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, err }));
    children.push(child);
    return { child, ended };
  };
  const kill = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const agent = (script?: string, first?: string) => witnessedAgent(home.path, script, first);
  const shimOf = ({ agentId, runId }: { agentId: string; runId: string }) => {
    const path = join(home.agentsPath, agentId, 'runs', runId, 'shim.json');
    return (JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid;
  };
  const inventory = async (link: HubLink) => (await link.next('inventory')).entries;

  describe('killed with -9', () => {
    it('before it has read a command knows nothing of it, and does it once when it is sent again', async () => {
      const { child } = start();
      const web = agent();
      const first = await hub.link(0);
      await first.next('inventory');
      child.kill('SIGSTOP');
      const item = first.dispatch('agent.start', web.start());
      await kill(child);
      start();

      const second = await hub.link(1);
      expect(await inventory(second)).toEqual([]);
      second.send({ t: 'dispatch', dispatches: [item] });

      expect(await second.result(item.id)).toMatchObject({ outcome: 'succeeded' });
      expect(await web.witnessed()).toHaveLength(1);
    });

    it('at the moment of its ack has the command on record, and does it once', async () => {
      const { child } = start();
      const web = agent();
      const first = await hub.link(0);
      await first.next('inventory');
      first.onFrame = ({ t }) => t === 'ack' && child.kill('SIGKILL');
      const item = first.dispatch('agent.start', web.start());
      await first.ended;
      start();

      const second = await hub.link(1);

      expect((await inventory(second)).map(({ id }) => id)).toEqual([item.id]);
      expect(await second.result(item.id)).toMatchObject({
        outcome: 'succeeded',
        body: { pid: (await web.witnessed())[0] },
      });
      expect(await web.witnessed()).toHaveLength(1);
    });

    it('in the middle of a command says that it goes on, and finishes it', async () => {
      const { child } = start();
      const web = agent(FOREVER, HEEDS_NO_TERM);
      const first = await hub.link(0);
      const started = web.start();
      await first.result(first.dispatch('agent.start', started).id);
      await web.witnessed();
      // Longer than a broker takes to come back, on a busy machine too.
      const item = first.dispatch('agent.stop', { ...started, graceMs: 8_000 });
      await first.find(
        (frame) => frame.t === 'event' && frame.agents.some(({ phase }) => phase === 'stopping'),
        'an agent that stops',
      );
      await kill(child);
      start();

      const second = await hub.link(1);

      expect(await inventory(second)).toContainEqual({ id: item.id, attempt: 1, status: 'running' });
      expect(await second.result(item.id)).toMatchObject({ outcome: 'succeeded', body: { exitCode: null } });
    });

    it('between its ack and its turn goes on without the hub with what it had begun, and begins nothing else', async () => {
      const { child } = start();
      const [web, other] = [agent(FOREVER, HEEDS_NO_TERM), agent()];
      const first = await hub.link(0);
      const started = web.start();
      await first.result(first.dispatch('agent.start', started).id);
      const pids = await web.witnessed();
      const stop = first.dispatch('agent.stop', { ...started, graceMs: 8_000 }, { key: 'k' });
      const behind = first.dispatch('agent.start', other.start(), { key: 'k' });
      await first.acked(behind.id);
      await first.find(
        (frame) => frame.t === 'event' && frame.agents.some(({ phase }) => phase === 'stopping'),
        'an agent that stops',
      );
      hub.refusals.push(...Array.from({ length: 100 }, () => ({ status: 503 })));
      await kill(child);
      start();

      await eventually(() => !pids.some(isProcess), { withinMs: 30_000 });
      // Long enough for its turn to have come, and for a command to start.
      await rest(1_000);
      expect(other.pids()).toEqual([]);
      hub.onHello = () => setImmediate(() => cancelAtInventory());
      const cancelAtInventory = () => {
        const link = hub.links[1];
        if (link !== undefined)
          link.onFrame = ({ t }) =>
            t === 'inventory' && link.send({ t: 'cancel', cancels: [{ id: behind.id, attempt: 1 }] });
      };
      hub.refusals.length = 0;
      const second = await hub.link(1);

      expect(await inventory(second)).toEqual(
        expect.arrayContaining([expect.objectContaining({ id: behind.id, status: 'running' })]),
      );
      expect(await second.result(stop.id)).toMatchObject({ outcome: 'succeeded', body: { exitCode: null } });
      expect(await second.result(behind.id)).toMatchObject({ outcome: 'cancelled' });
      expect(other.pids()).toEqual([]);
    });

    it('between its ack and its turn writes messages once, in the order in which they came', async () => {
      const { child } = start();
      const read = join(home.path, 'read');
      const web = agent(READS(read));
      const first = await hub.link(0);
      const started = web.start();
      const spec = { ...started.spec, stdin: 'messages' };
      await first.result(first.dispatch('agent.start', { ...started, spec }).id);
      // Held in the middle of the first message, with the others in the journal alone.
      const shim = shimOf(started);
      process.kill(shim, 'SIGSTOP');
      const inReverse = Array.from({ length: 5 }, () => uuidv7()).reverse();
      const items = inReverse.map((id) => {
        const message = messageOf(id, id);
        return first.dispatch('agent.message', { agentId: web.agentId, message }, { id, key: web.agentId });
      });
      await Promise.all(items.map(({ id }) => first.acked(id)));
      await kill(child);
      process.kill(shim, 'SIGCONT');
      start();

      const second = await hub.link(1);

      expect((await inventory(second)).filter(({ status }) => status === 'lost')).toEqual([]);
      for (const { id } of items) expect(await second.result(id)).toMatchObject({ outcome: 'succeeded' });
      const lines = await eventually(() => {
        const whole = readFileSync(read, 'utf8').split('\n').slice(0, -1);
        return whole.length >= items.length && whole;
      });
      expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(inReverse);
    });

    it('after the end of a command tells its result again, until it is confirmed', async () => {
      const web = agent();
      const first = start();
      const link = await hub.link(0);
      const item = link.dispatch('agent.start', web.start());
      const result = await link.result(item.id);
      await kill(first.child);
      const second = start();

      const next = await hub.link(1);
      expect(await inventory(next)).toEqual([{ id: item.id, attempt: 1, status: 'ended' }]);
      expect(await next.result(item.id)).toEqual(result);
      next.send({ t: 'confirm', ids: [item.id] });
      const marker = next.dispatch('broker.ping', {});
      await next.result(marker.id);
      await kill(second.child);
      start();

      const last = await hub.link(2);
      expect((await inventory(last)).map(({ id }) => id)).toEqual([marker.id]);
      expect(await web.witnessed()).toHaveLength(1);
    });

    it('lets its agents go on, and gives up its home', async () => {
      const { child } = start();
      const web = agent();
      const link = await hub.link(0);
      await link.result(link.dispatch('agent.start', web.start()).id);
      await kill(child);

      start();

      const { agents: reports } = await (await hub.link(1)).next('event');
      expect(reports).toMatchObject([{ agentId: web.agentId, phase: 'running' }]);
    });
  });

  it('killed with -9 loses nothing of what its agents write meanwhile, over several files, nor how they end', async () => {
    const { child } = start();
    const [go, done] = [join(home.path, 'go'), join(home.path, 'done')];
    const web = agent(
      `echo before; until test -e '${go}'; do sleep 0.05; done; seq 1 2000000; : > '${done}'; sleep 1; echo after; exit 4`,
    );
    const order = web.start();
    const first = await hub.link(0);
    await first.result(first.dispatch('agent.start', order).id);
    await kill(child);
    writeFileSync(go, '');
    await eventually(() => existsSync(done), { withinMs: 20_000 });
    start();

    const second = await hub.link(1);

    await second.find(
      (frame) => frame.t === 'event' && frame.agents.some(({ exitCode }) => exitCode === 4),
      'the end of the agent',
    );
    const logs = await second.result(second.dispatch('agent.logs', { agentId: web.agentId, lines: 3 }).id);
    expect(logs).toMatchObject({ body: { lines: ['1999999', '2000000', 'after'] } });
    const folder = join(home.agentsPath, web.agentId, 'runs', order.runId);
    const files = readdirSync(folder).filter((name) => name.startsWith('output.log'));
    expect(files.sort()).toEqual(['output.log', 'output.log.1']);
    const written = files.reverse().map((name) => readFileSync(join(folder, name), 'utf8'));
    const numbers = Array.from({ length: 2_000_000 }, (_, index) => index + 1);
    // Compared as a whole: a difference of megabytes would be shown line by line.
    expect(written.join('') === ['before', ...numbers, 'after', ''].join('\n')).toBe(true);
  });

  it('is refused while another one uses its home, which goes on as before', async () => {
    start();
    const link = await hub.link(0);

    const { code, err } = await start().ended;

    expect(code).not.toBe(0);
    expect(err).toMatch(/another broker \(process \d+\) is using/);
    expect(hub.links).toHaveLength(1);
    expect(await link.result(link.dispatch('broker.ping', {}).id)).toMatchObject({ outcome: 'succeeded' });
  });

  it('is one, of several that start at once after another was killed with -9', async () => {
    const { child } = start();
    await hub.link(0);
    await kill(child);

    const started = [start(), start(), start()];
    const refused: { err: string }[] = [];
    for (const { ended } of started) void ended.then((end) => refused.push(end));
    await eventually(() => refused.length === 2, { withinMs: 15_000 });

    expect(refused.map(({ err }) => /another broker \(process \d+\) is using/.test(err))).toEqual([
      true,
      true,
    ]);
    const link = await hub.link(1);
    expect(await link.result(link.dispatch('broker.ping', {}).id)).toMatchObject({ outcome: 'succeeded' });
    expect(hub.links).toHaveLength(2);
  });

  it('ends with a fault where another instance took its place', async () => {
    const { ended } = start();
    (await hub.link(0)).socket.close(CLOSE_CODES.displaced, DISPLACED_BY.another);

    const { code, err } = await ended;

    expect(code).not.toBe(0);
    expect(err).toContain('look for a copy of that folder');
  });

  it('says that it is degraded while its journal cannot be written, acks nothing of that, and stays', async () => {
    hub.welcome = { heartbeatMs: 50 };
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        'ulimit -f 3000 && exec "$@"',
        'sh',
        process.execPath,
        FAIRLEAD,
        'broker',
        'start',
        '--home',
        home.path,
      ],
      { env: { PATH: process.env.PATH }, stdio: 'ignore' },
    );
    children.push(child);
    const link = await hub.link(0);
    await link.next('inventory');

    const large = { padding: 'x'.repeat(700_000) };
    const { id } = link.dispatch('broker.ping', large);

    await link.find(
      (frame) => frame.t === 'heartbeat' && frame.health === 'degraded',
      'a degraded heartbeat',
    );
    expect(link.count('ack')).toBe(0);
    link.send({
      t: 'dispatch',
      dispatches: [{ id, attempt: 1, op: 'broker.ping', args: {}, key: null, remainingMs: 9_999 }],
    });
    expect(await link.result(id)).toMatchObject({ outcome: 'succeeded' });
    await link.find((frame) => frame.t === 'heartbeat' && frame.health === 'online', 'a healthy heartbeat');
  });

  it('goes on where its log cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [FAIRLEAD, 'broker', 'start', '--home', home.path], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', full, 'ignore'],
    });
    closeSync(full);
    children.push(child);
    (await hub.link(0)).socket.terminate();

    const link = await hub.link(1);

    expect(await link.result(link.dispatch('broker.ping', {}).id)).toMatchObject({ outcome: 'succeeded' });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.each<[string, (child: ChildProcess) => Promise<unknown>]>([
    ['SIGTERM', (child) => Promise.resolve(child.kill('SIGTERM'))],
    [
      'a Ctrl-C that a terminal and npm both pass on',
      async (child) => {
        // More than twice, since a busy system makes one of two.
        for (let times = 1; times <= 5; times += 1) {
          child.kill('SIGINT');
          await rest(5);
        }
      },
    ],
  ])('says goodbye on %s and ends well, and its agents go on', async (_what, ask) => {
    const { child, ended } = start();
    const web = agent();
    const link = await hub.link(0);
    await link.result(link.dispatch('agent.start', web.start()).id);

    await ask(child);

    await link.next('goodbye');
    expect(await ended).toMatchObject({ code: 0 });
    expect((await web.witnessed()).every(isProcess)).toBe(true);
  });

  it('stops its agents on SIGTERM where it was told to', async () => {
    const { child, ended } = start('--stop-agents');
    const web = agent();
    const link = await hub.link(0);
    await link.result(link.dispatch('agent.start', web.start()).id);

    const pids = await web.witnessed();
    child.kill('SIGTERM');

    expect(await ended).toMatchObject({ code: 0 });
    await eventually(() => !pids.some(isProcess));
  });
});
