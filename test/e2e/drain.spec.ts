import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request, type RequestOptions } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { freePort } from '../../scripts/support/free-port.js';
import { DISPLACED_BY } from '../../src/protocol/close-code.js';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { FAIRLEAD, type HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { expectNoLeaks } from '../support/leaks.js';

/** Nobody new first, then those who are here, then what serves them, and last what they were served from. */
const ORDER = [
  ...['announced', 'lingered', 'asked_brokers', 'brokers_moved', 'released'],
  ...['connections', 'dispatch', 'loops', 'wakes', 'replica', 'isolation', 'peers'],
  ...['internal listener', 'public listener', 'pool', 'database', 'traces and logs'],
];

type Rollout = { report: { commands: number; gaps: { broker: { id: string }; ms: number }[] } | null };

describe('a replica that drains', () => {
  let cluster: Cluster;
  let alone: Cluster;
  let lingering: HubProcess;
  let full: HubProcess;
  let hasty: HubProcess;
  let asked: HubProcess;
  let told: HubProcess;
  let watched: HubProcess;
  let remote: HubProcess;
  let hung: HubProcess;
  let hurried: HubProcess;
  let left: HubProcess;
  let port: number;
  let watchedPort: number;
  /** Of a replica to which no broker has linked. */
  let early: number;
  let hungPort: number;

  // Replicas take their time to start, so all do at once; each but the first drains in one of the tests.
  beforeAll(async () => {
    [cluster, alone, port, watchedPort, hungPort] = await Promise.all([
      Cluster.start(1),
      Cluster.start(1),
      freePort(),
      freePort(),
      freePort(),
    ]);
    [lingering, full, hasty, asked, told, watched, remote, hung, hurried, left] = await Promise.all([
      cluster.addReplica({ FAIRLEAD_DRAIN_LINGER_S: '1' }),
      cluster.addReplica(),
      cluster.addReplica({ FAIRLEAD_DRAIN_DEADLINE_S: '1' }),
      cluster.addReplica(),
      cluster.addReplica({ FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${port}` }),
      cluster.addReplica({ FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${watchedPort}` }),
      cluster.addReplica(),
      cluster.addReplica({
        FAIRLEAD_DRAIN_DEADLINE_S: '2',
        FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${hungPort}`,
      }),
      cluster.addReplica({ FAIRLEAD_DRAIN_LINGER_S: '9' }),
      cluster.addReplica(),
      alone.addReplica({ FAIRLEAD_DRAIN_LINGER_S: '9' }),
    ]);
    early = (await fetch(`${cluster.hub(0).url}/readyz`)).status;
  }, 120_000);

  afterAll(async () => {
    await Promise.all([cluster.stop(), alone.stop()]);
    // Connections that callers keep alive end a few seconds after their replica; all tests at once have many.
    await expectNoLeaks(undefined, { withinMs: 20_000 });
  });

  const join = () => ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
  const step = (hub: HubProcess, name: string) =>
    hub.line((line) => line.msg === 'drain' && line.step === name);

  /** By who was there: a replica that is not heard of for 5 s, as on a machine with much to do, goes on under another id. */
  const reportAbout = async (broker: ScriptedBroker) => {
    const { body } = await cluster.api(0).get('/api/v1/rollouts');
    const isAbout = ({ report }: Rollout) => report?.gaps.some((gap) => gap.broker.id === broker.id);
    const report = (body.items as Rollout[]).find(isAbout)?.report;
    if (report === undefined || report === null)
      throw new Error(`no report is about it: ${JSON.stringify(body)}`);
    return report;
  };

  const it = atOnce();

  it('is, before that, ready while no broker has linked, for none waits for the other', () =>
    Promise.resolve(expect(early).toBe(200)));

  it('turns unready, refuses new channels with 503, and tells its brokers where else to go', async () => {
    const hub = lingering;
    const [here, late] = [await join(), await join()];
    const link = await here.connect(hub.url);
    hub.signal('SIGTERM');
    await step(hub, 'announced');

    const ready = await fetch(`${hub.url}/readyz`);
    const refused = await late.dial(hub.url).catch((error: Error) => error.message);
    const goingAway = await link.next('going_away');

    expect(ready.status).toBe(503);
    expect(refused).toContain('503');
    expect(goingAway.alternatives).toContain(cluster.hub(0).url);
    const moved = await here.connect(cluster.hub(0).url);
    await link.close();
    expect(await hub.ended()).toBe(0);
    await moved.close();
  });

  it('serves a broker in full until it has moved, and loses no command on the way', async () => {
    const hub = full;
    const broker = await join();
    const link = await broker.connect(hub.url);
    hub.signal('SIGTERM');
    await link.next('going_away');

    const { body: early } = await cluster.api(0).ping(broker.id, { orderingKey: null });
    const served = await link.nextDispatch();
    link.ack(served);
    await eventually(async () => (await cluster.api(0).dispatch(served.id)).state === 'running');
    const moved = await broker.connect(cluster.hub(0).url, [
      { id: served.id, attempt: 1, status: 'running' },
    ]);
    // As a broker tells it: again on its new link, for it cannot know whether the old one still carried it.
    for (const each of [link, moved]) each.succeed(served);
    const { body: late } = await cluster.api(0).ping(broker.id, { orderingKey: null });
    moved.succeed(await moved.nextDispatch());

    expect(served.id).toBe(early.dispatch.id);
    for (const id of [early.dispatch.id, late.dispatch.id]) {
      expect(await cluster.api(0).dispatch(id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
    }
    await link.close();
    expect(await hub.ended()).toBe(0);
    await moved.close();
    const steps = hub.lines.flatMap(({ msg, step }) => (msg === 'drain' || msg === 'stopped' ? [step] : []));
    expect(steps).toEqual(ORDER);
    // Whoever judges may end on the way: then the next takes it up after 30 s.
    const report = await eventually(() => reportAbout(broker), { withinMs: 60_000, everyMs: 200 });
    expect(report).toMatchObject({ clean: true, moved: 1, letGo: 0, lost: 0, duplicated: 0 });
    expect(report.commands).toBeGreaterThanOrEqual(1);
    expect(report.gaps).toEqual([{ broker: { id: broker.id, name: broker.name }, ms: 0 }]);
  });

  it('lets go at the deadline of what has not moved, and ends with 0', async () => {
    const hub = hasty;
    const broker = await join();
    const link = await broker.connect(hub.url);

    hub.signal('SIGTERM');

    expect(await link.closed).toMatchObject({ code: 1001 });
    expect(await hub.ended()).toBe(0);
    const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}`);
    expect(body.ownership).toMatchObject({ replica: null, releaseReason: 'the replica has drained' });
  });

  it('cuts no link without a word, nor one that it only reads since the broker has a newer one', async () => {
    const hub = left;
    const broker = await join();
    const older = await broker.connect(hub.url);
    const newer = await broker.connect(hub.url);

    hub.signal('SIGTERM');
    await newer.next('going_away');
    await newer.close();

    expect(await older.closed).toEqual({ code: 4409, reason: DISPLACED_BY.itself });
    expect(await hub.ended()).toBe(0);
  });

  it('ends in time under load, whatever hangs: brokers that stay, and requests that are never sent to their end', async () => {
    const hub = hung;
    const broker = await join();
    const link = await broker.connect(hub.url);
    const halves = await Promise.all([Number(new URL(hub.url).port), hungPort].map(halfRequest));
    const load = new AbortController();
    const asking = pingUntil(load.signal, cluster, broker.id);
    await link.nextDispatch();
    const begunAt = performance.now();

    hub.signal('SIGTERM');

    expect(await link.closed).toMatchObject({ code: 1001 });
    expect(await hub.ended()).toBe(0);
    expect(performance.now() - begunAt).toBeLessThan(12_000);
    load.abort();
    expect(await asking).toEqual([202]);
    for (const half of halves) half.destroy();
  });

  it('ends at once at a second signal, and leaves its brokers to the others', async () => {
    const hub = hurried;
    const broker = await join();
    await broker.connect(hub.url);
    hub.signal('SIGTERM');
    await step(hub, 'announced');

    hub.signal('SIGINT');

    expect(await hub.ended()).toBe(1);
    expect(hub.lines.some(({ step }) => step === 'lingered')).toBe(false);
  });

  it('answers long waits with the envelope before it goes', async () => {
    const hub = asked;
    const broker = await join();
    const waiting = cluster.api(0).at(hub.url).ping(broker.id, { waitS: 60 });
    await eventually(async () => {
      const { body } = await cluster.api(0).get(`/api/v1/dispatches?broker=${broker.id}`);
      return body.items.length === 1;
    });

    hub.signal('SIGTERM');

    expect((await waiting).status).toBe(202);
    expect(await hub.ended()).toBe(0);
  });

  it('waits for nobody where it is the only one', async () => {
    const hub = alone.hub(1);
    await alone.hub(0).kill();
    const broker = await ScriptedBroker.join(alone.api(1), hub.url);
    const link = await broker.connect(hub.url);
    await eventually(
      async () => {
        const { body } = await alone.api(1).get('/api/v1/replicas');
        return body.items.filter(({ state }: { state: string }) => state === 'active').length === 1;
      },
      { withinMs: 10_000 },
    );

    hub.signal('SIGTERM');

    expect(await link.closed).toMatchObject({ code: 1001 });
    expect(await hub.ended()).toBe(0);
    expect(hub.lines.some(({ step }) => step === 'lingered')).toBe(false);
  });

  describe('by `fairlead hub drain --local`', () => {
    const drain = async (port: number) => {
      const child = spawn(process.execPath, [FAIRLEAD, 'hub', 'drain', '--local'], {
        env: { PATH: process.env.PATH, FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${port}` },
      });
      const [code] = await once(child, 'exit');
      return code as number;
    };

    it('is gone when the command returns with 0', async () => {
      expect(await drain(port)).toBe(0);

      await step(told, 'released');
      expect(await told.ended()).toBe(0);
    });

    it('goes on for a moment for whoever asked and is still there, so that none of its container ends before', async () => {
      const caller = connect(watchedPort, '127.0.0.1');
      const closed = once(caller, 'close');
      caller.resume();
      caller.write('POST /internal/v1/drain HTTP/1.1\r\nhost: hub\r\n\r\n');

      await closed;

      expect(await watched.ended()).toBe(0);
      // By the clock of the hub alone: how late this process hears of it says nothing.
      const drained = await step(watched, 'released');
      const ending = await watched.line(({ msg, step: name }) => msg === 'stopped' && name === 'connections');
      expect(Number(ending.time) - Number(drained.time)).toBeGreaterThan(900);
    });

    it('returns 0 where no hub runs', async () => {
      expect(await drain(await freePort())).toBe(0);
    });
  });

  describe('from another machine', () => {
    it('is asked by way of any replica, and the one that was meant ends', async () => {
      const health = await cluster.api(0).at(remote.url).get('/health');
      expect(health.body.peers).toMatchObject({ reachesItself: true });
      const internal = new URL(String(health.body.peers.address));
      // Another address of the loopback is as good as another machine: it is not the one that needs no signature.
      const unsigned = await statusOf({ port: internal.port, localAddress: '127.0.0.2' });
      const forged = await statusOf({ port: internal.port, headers: { 'fairlead-signature': '00' } });

      const { status, body } = await cluster.api(0).post(`/api/v1/replicas/${remote.replicaId}/drain`, {});

      expect([unsigned, forged]).toEqual([403, 403]);
      expect([status, body.id]).toEqual([202, remote.replicaId]);
      expect(await remote.ended()).toBe(0);
      const again = await cluster.api(0).post(`/api/v1/replicas/${remote.replicaId}/drain`, {});
      expect(again.status).toBe(404);
    });

    it('is not begun with a deadline that is none', async () => {
      const path = `/api/v1/replicas/${cluster.hub(0).replicaId}/drain`;

      for (const deadlineS of [0, 3601, 1.5, '9']) {
        expect((await cluster.api(0).post(path, { deadlineS })).status).toBe(400);
      }
    });
  });

  it('ends its boot where its internal listener cannot be bound, and does not only log it (pitfall 51)', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };

    await expect(cluster.addReplica({ FAIRLEAD_INTERNAL_LISTEN: `127.0.0.1:${port}` })).rejects.toThrow(
      'the hub ended',
    );

    taken.close();
  });
});

/** A request whose body never comes to its end. */
async function halfRequest(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('POST /api/v1/brokers/join HTTP/1.1\r\nhost: hub\r\ncontent-length: 99\r\n\r\n{');
  return socket;
}

/** Commands one after another, by way of a replica that stays. @returns the statuses of the answers, each once */
async function pingUntil(signal: AbortSignal, cluster: Cluster, brokerId: string): Promise<number[]> {
  const statuses = new Set<number>();
  while (!signal.aborted) {
    statuses.add((await cluster.api(0).ping(brokerId, { orderingKey: null })).status);
    await rest(10);
  }
  return [...statuses];
}

function statusOf(options: RequestOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', method: 'POST', path: '/internal/v1/drain', agent: false, ...options })
      .on('response', (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
      .on('error', reject)
      .end();
  });
}
