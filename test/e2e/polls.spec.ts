import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CLOSE_CODES } from '../../src/protocol/close-code.js';
import type { JsonValue, ResultItem } from '../../src/protocol/frame.js';
import { LIMITS, TIMES } from '../../src/protocol/limits.js';
import { Cluster } from '../support/cluster.js';
import { atOnce } from '../support/at-once.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { ackOf, ScriptedPoller, successOf } from '../support/scripted-poller.js';

describe('a broker that polls', () => {
  let cluster: Cluster;
  let [here, there] = ['', ''];
  let leaving: HubProcess;

  beforeAll(async () => {
    cluster = await Cluster.start(3);
    [here, there] = [cluster.hub(0).url, cluster.hub(1).url];
    leaving = cluster.hub(2);
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 20_000 });
  });

  const beside = atOnce();

  const join = () => ScriptedBroker.join(cluster.api(0), here);
  const ownershipOf = async (broker: ScriptedBroker) =>
    (await cluster.api(0).get(`/api/v1/brokers/${broker.id}`)).body.ownership;

  beside('is owned under an epoch like any, and does a command', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);

    const asking = cluster.api(1).ping(broker.id, { waitS: 10 });
    const dispatch = await poller.nextDispatch(here);
    await poller.poll(here, ackOf(dispatch), successOf(dispatch));
    const { ids } = await poller.next('confirm', here);

    expect(await ownershipOf(broker)).toMatchObject({
      transport: 'poll',
      epoch: 1,
      replica: cluster.hub(0).replicaId,
    });
    expect(ids).toEqual([dispatch.id]);
    expect((await asking).body.dispatch).toMatchObject({ state: 'succeeded', result: { polled: true } });
  });

  beside('is served by its owner when a poll lands on another replica, and ownership stays', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);
    const asking = cluster.api(0).ping(broker.id, { waitS: 10 });

    const dispatch = await poller.nextDispatch(there);
    await poller.poll(there, ackOf(dispatch), successOf(dispatch));
    await poller.next('confirm', there);

    expect((await asking).body.dispatch.state).toBe('succeeded');
    expect(await ownershipOf(broker)).toMatchObject({ epoch: 1, replica: cluster.hub(0).replicaId });
    const health = await cluster.api(1).get('/health');
    expect(health.body.peers).toMatchObject({ reachesItself: true, links: 1 });
  });

  beside('gets again what a lost answer carried, and nothing it sent again is taken twice', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);
    const { body } = await cluster.api(0).ping(broker.id);
    const lost = await poller.post(here, poller.bodyWith());
    expect(lost.body.frames).toMatchObject([{ t: 'dispatch' }]);

    const dispatch = await poller.nextDispatch(there);
    const telling = poller.bodyWith(ackOf(dispatch), successOf(dispatch));
    const [first, again] = [await poller.post(here, telling), await poller.post(there, telling)];
    for (const answer of [first, again]) poller.take(answer.body);
    await poller.next('confirm', here);

    expect(dispatch.id).toBe(body.dispatch.id);
    expect([first.body.received, again.body.received]).toEqual([4, 4]);
    expect(poller.countArrived('confirm')).toBe(0);
    const trail = await cluster.api(0).trail(dispatch.id);
    expect(trail.filter(({ state }) => state === 'succeeded')).toHaveLength(1);
    expect(trail.some(({ state }) => state === 'late_result')).toBe(false);
  });

  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

  beside(
    'brings results named and nested as nothing that is asked for may be, and others with them',
    async () => {
      const broker = await join();
      const poller = await ScriptedPoller.open(broker, here);
      const inborn = '{"__proto__":{"a":[1]},"constructor":{"prototype":{"toString":null}}}';
      const bodies = [nested(1_000), inborn, '{"polled":true}'];
      const results: ResultItem[] = [];
      for (const body of bodies) {
        await cluster.api(0).ping(broker.id, { orderingKey: null });
        const { id, attempt } = await poller.nextDispatch(here);
        results.push({ id, attempt, outcome: 'succeeded', body: JSON.parse(body) as JsonValue });
      }

      await poller.poll(there, { t: 'result', results });
      const ended = await Promise.all(results.map(({ id }) => cluster.api(1).dispatch(id, 10)));

      expect(ended.map(({ result }) => JSON.stringify(result))).toEqual(bodies);
    },
  );

  beside('brings a result that is nested too deep to be kept: its command has failed with that', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);
    await cluster.api(0).ping(broker.id);
    const dispatch = await poller.nextDispatch(here);
    const body = JSON.stringify(poller.bodyWith(ackOf(dispatch), successOf(dispatch)));

    const { status } = await poller.post(here, body.replace('{"polled":true}', nested(100_000)));
    const ended = await cluster.api(1).dispatch(dispatch.id, 10);

    expect([status, ended.error?.code]).toEqual([200, 'result_too_large']);
  });

  beside('sends while a poll is held: the later one waits, and the held one goes back at once', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);
    const held = poller.post(here, poller.bodyWith());

    await poller.poll(there, { t: 'heartbeat', health: 'degraded', load: null, running: 0 });
    await poller.next('heartbeat_ack', here);

    expect((await held).status).toBe(200);
    await eventually(async () => {
      const { body } = await cluster.api(1).get(`/api/v1/brokers/${broker.id}`);
      return body.presence.state === 'degraded';
    });
  });

  beside(
    'is closed with 4408 where no poll comes for the lease, in which the last one was held',
    async () => {
      const broker = await join();
      const poller = await ScriptedPoller.open(broker, here);
      const from = performance.now();
      await poller.poll(here);
      const heldMs = performance.now() - from;

      await eventually(async () => (await ownershipOf(broker)).replica === null, {
        withinMs: 2 * TIMES.pollLeaseMs,
        everyMs: 500,
      });
      const lastedMs = performance.now() - from;
      const { closed } = await poller.poll(here);
      const { body: history } = await cluster.api(1).get(`/api/v1/brokers/${broker.id}/history`);

      expect(heldMs).toBeGreaterThanOrEqual(TIMES.pollHoldMs - 1_000);
      expect(lastedMs).toBeGreaterThanOrEqual(TIMES.pollLeaseMs);
      expect(lastedMs).toBeLessThan(TIMES.pollLeaseMs + TIMES.pollHoldMs);
      expect(closed).toEqual({ code: CLOSE_CODES.timed_out, reason: expect.stringContaining('lease') });
      expect(history.items[0].reason).toBe(`${closed?.code} ${closed?.reason}`);
    },
  );

  beside('says goodbye, and learns that its channel is closed', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);

    const { closed } = await poller.poll(there, { t: 'goodbye', reason: 'done' });

    expect(closed).toEqual({ code: 1000, reason: 'done' });
    await eventually(async () => (await ownershipOf(broker)).replica === null);
  });

  beside('is closed with the code that says why, and only then another begins', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, here);

    const socket = await broker.connect(there);
    await poller.poll(here, { t: 'goodbye', reason: 'moved' });
    await poller.poll(there).catch(() => undefined);

    expect(poller.closed).toMatchObject({ code: 1000 });
    expect(await ownershipOf(broker)).toMatchObject({ transport: 'websocket', epoch: 2 });
    await socket.close();
  });

  beside('is told where it has lost its connection, and begins another without a command lost', async () => {
    const broker = await join();
    const poller = await ScriptedPoller.open(broker, leaving.url);
    const { body } = await cluster.api(0).ping(broker.id);
    const dispatch = await poller.nextDispatch(leaving.url);

    await leaving.kill();
    const statuses = new Set<number>();
    await eventually(
      async () => {
        const { status } = await poller.post(here, poller.bodyWith());
        statuses.add(status);
        return status === 409;
      },
      { withinMs: 15_000 },
    );
    const next = await ScriptedPoller.open(broker, here, [
      { id: dispatch.id, attempt: 1, status: 'running' },
    ]);
    await next.poll(here, successOf(dispatch));
    await next.next('confirm', here);

    // Until the death is noticed nobody may take the connection: the poll is to be sent again.
    expect([...statuses].filter((status) => ![409, 503].includes(status))).toEqual([]);
    expect(await cluster.api(0).dispatch(body.dispatch.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
  });

  describe('is refused', () => {
    let broker: ScriptedBroker;
    let poller: ScriptedPoller;

    beforeAll(async () => {
      broker = await join();
      poller = await ScriptedPoller.open(broker, here);
    });

    it.each<[string, (sound: any) => unknown, number, string]>([
      ['without its numbers', ({ first: _first, ...rest }) => rest, 400, 'request_invalid'],
      ['with a field that is none', (sound) => ({ ...sound, batch: 1 }), 400, 'request_invalid'],
      [
        'with a number from the future',
        (sound) => ({ ...sound, first: sound.first + 1 }),
        400,
        'request_invalid',
      ],
      [
        'with an arrival of what was not sent',
        (sound) => ({ ...sound, received: 9 }),
        400,
        'request_invalid',
      ],
      [
        'with more frames than a batch',
        (sound) => ({ ...sound, frames: many(LIMITS.batch + 1) }),
        400,
        'request_invalid',
      ],
      ['with another connection', (sound) => ({ ...sound, connectionId: broker.id }), 409, 'connection_lost'],
    ])('%s', async (_what, broken, status, code) => {
      const answer = await poller.post(here, broken(poller.bodyWith()));

      expect([answer.status, answer.body.code]).toEqual([status, code]);
    });

    // It is not waited for: whoever sent all of it could find the connection closed before the answer was read.
    it('past the cap of its body, before that is sent', async () => {
      const answer = await poller.begin(here, LIMITS.pollBytes + 1);

      expect([answer.status, answer.body.code]).toEqual([413, 'request_too_large']);
    });

    it('not for a body that is as large as its cap', async () => {
      const own = await join();
      const opened = await ScriptedPoller.open(own, here);
      const padded = (bytes: number) => ({ t: 'event', agents: [], padding: 'x'.repeat(bytes) });
      const whole = [padded(1_000_000), padded(1_000_000)];
      // What is answered is not held.
      const beat = { t: 'heartbeat', health: 'online', load: null, running: 0 };
      const bodyOf = (bytes: number) =>
        JSON.stringify({ ...opened.bodyWith(), frames: [...whole, padded(bytes), beat] });
      const body = bodyOf(LIMITS.pollBytes - bodyOf(0).length);

      const answer = await opened.post(here, body);

      expect(body).toHaveLength(LIMITS.pollBytes);
      expect(answer).toMatchObject({ status: 200, body: { frames: [{ t: 'heartbeat_ack' }], closed: null } });
    });

    it('without a token, or with that of another kind or broker', async () => {
      const other = await join();
      const stranger = new ScriptedPoller(other, await other.accessToken(here));
      const administrator = new ScriptedPoller(other, cluster.administratorToken);
      const sound = poller.bodyWith();

      expect(await administrator.post(here, sound)).toMatchObject({ status: 401 });
      expect(await stranger.post(here, sound)).toMatchObject({
        status: 409,
        body: { code: 'connection_lost' },
      });
      expect((await fetch(`${here}/api/v1/control/poll`, post(sound))).status).toBe(401);
    });

    it.each<[string, object[], number]>([
      ['no hello', [{ t: 'goodbye', reason: '' }], 4400],
      ['a hello that is too large', [{ t: 'hello', padding: 'x'.repeat(LIMITS.helloBytes) }], 4400],
      ['a frame before the welcome', [{}, { t: 'goodbye', reason: '' }], 4400],
      ['a frame of another wire', [{ t: 'promote' }], 4400],
    ])('by a close where its first frame is %s', async (_what, frames, code) => {
      const own = await join();
      const fresh = new ScriptedPoller(own, await own.accessToken(here));
      const [first = {}, ...rest] = frames;
      const opening = Object.keys(first).length === 0 ? own.hello() : first;

      const { status, body } = await fresh.post(here, {
        connectionId: null,
        first: 1,
        frames: [opening, ...rest],
        received: 0,
      });

      expect([status, body.closed.code]).toEqual([200, code]);
    });

    it('by a close with 1009 where one frame is over the limit, which a poll as a whole is not', async () => {
      const own = await join();
      const opened = await ScriptedPoller.open(own, here);
      const large = { t: 'event', agents: [], padding: 'x'.repeat(LIMITS.frameBytes) };

      const { body } = await opened.post(here, opened.bodyWith(large as never));

      expect(body.closed.code).toBe(1009);
    });
  });

  const many = (count: number) => Array.from({ length: count }, () => ({ t: 'ack', acks: [] }));
  const post = (body: object) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
});
