import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { atOnce } from '../support/at-once.js';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { expectNoLeaks } from '../support/leaks.js';
import { leastOf } from '../support/least-of.js';

/** Replica 0 lives through all of it. The owner is that of all tests, and dies once, where all have come so far. */
describe('a command whose owner is killed', () => {
  let cluster: Cluster;
  let owner: HubProcess;
  let stopped: HubProcess;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    [owner, stopped] = await Promise.all([cluster.addReplica(), cluster.addReplica()]);
  });

  afterAll(async () => {
    await cluster.stop();
    // Connections that callers keep alive end a few seconds after their replica; all tests at once have many.
    await expectNoLeaks(undefined, { withinMs: 20_000 });
  });

  const begun = atOnce();
  let alive = 0;
  const atDeath: (() => void)[] = [];
  /** One test more has come so far, or failed on its way. */
  const arrived = () => {
    alive -= 1;
    if (alive === 0) void owner.kill().then(() => atDeath.forEach((tell) => tell()));
  };
  const it = (
    title: string,
    scenario: (given: { broker: ScriptedBroker; ownerDies: () => Promise<void> }) => Promise<void>,
  ) => {
    alive += 1;
    let hasArrived = false;
    const arrive = () => {
      if (!hasArrived) arrived();
      hasArrived = true;
    };
    const ownerDies = async () => {
      const dead = new Promise<void>((tell) => atDeath.push(tell));
      arrive();
      await dead;
    };
    begun(
      title,
      async () => {
        try {
          const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
          await scenario({ broker, ownerDies });
        } finally {
          arrive();
        }
      },
      120_000,
    );
  };

  const states = async (id: string) => (await cluster.api(0).trail(id)).map(({ state }) => state);
  const reasons = async (id: string) =>
    (await cluster.api(0).trail(id)).flatMap(({ reason }) => reason ?? []);

  it('before the claim is sent once by the next owner', async ({ broker }) => {
    await broker.connect(stopped.url);
    stopped.signal('SIGSTOP');

    const { body } = await cluster.api(0).ping(broker.id);
    await stopped.kill();
    const link = await broker.connect(cluster.hub(0).url);
    const dispatch = await link.nextDispatch();
    link.succeed(dispatch);

    expect(dispatch).toMatchObject({ id: body.dispatch.id, attempt: 1 });
    expect(await cluster.api(0).dispatch(dispatch.id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await link.close();
  });

  it('after the claim, and never begun, is sent again under a new attempt', async ({ broker, ownerDies }) => {
    const first = await broker.connect(owner.url);
    await cluster.api(0).ping(broker.id);
    const lost = await first.nextDispatch();

    await ownerDies();
    const link = await broker.connect(cluster.hub(0).url);
    const again = await link.nextDispatch();
    link.succeed(again);

    expect(again).toMatchObject({ id: lost.id, attempt: 2 });
    expect(await cluster.api(0).dispatch(again.id, 10)).toMatchObject({ state: 'succeeded', attempt: 2 });
    expect(await reasons(again.id)).toEqual(['never_begun']);
    await link.close();
  });

  it('after the ack is adopted, and its result is taken without sending it again', async ({
    broker,
    ownerDies,
  }) => {
    const first = await broker.connect(owner.url);
    await cluster.api(0).ping(broker.id);
    const dispatch = await first.nextDispatch();
    first.ack(dispatch);
    await eventually(async () => (await cluster.api(0).dispatch(dispatch.id)).state === 'running');

    await ownerDies();
    const link = await broker.connect(cluster.hub(0).url, [
      { id: dispatch.id, attempt: dispatch.attempt, status: 'running' },
    ]);
    link.succeed(dispatch);

    expect(await cluster.api(0).dispatch(dispatch.id, 10)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(await states(dispatch.id)).toEqual(['pending', 'claimed', 'running', 'running', 'succeeded']);
    expect(await reasons(dispatch.id)).toEqual(['adopted']);
    expect(link.count('dispatch')).toBe(0);
    await link.close();
  });

  it('and that the journal knows by an earlier attempt is sent again, for the attempt that counts', async ({
    broker,
    ownerDies,
  }) => {
    const first = await broker.connect(owner.url);
    await cluster.api(0).ping(broker.id);
    const early = await first.nextDispatch();
    first.cut();
    const second = await broker.connect(owner.url);
    await second.nextDispatch();

    await ownerDies();
    const link = await broker.connect(cluster.hub(0).url, [
      { id: early.id, attempt: early.attempt, status: 'running' },
    ]);
    const again = await link.nextDispatch();
    link.succeed(again);

    expect(again).toMatchObject({ id: early.id, attempt: 2 });
    expect(await cluster.api(0).dispatch(early.id, 10)).toMatchObject({ state: 'succeeded', attempt: 2 });
    await link.close();
  });

  it('after the result was settled keeps its one ending when the broker tells it again', async ({
    broker,
    ownerDies,
  }) => {
    const first = await broker.connect(owner.url);
    await cluster.api(0).ping(broker.id);
    const dispatch = await first.nextDispatch();
    first.succeed(dispatch, { told: 'once' });
    await cluster.api(0).dispatch(dispatch.id, 10);

    await ownerDies();
    const link = await broker.connect(cluster.hub(0).url, [
      { id: dispatch.id, attempt: dispatch.attempt, status: 'ended' },
    ]);

    expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
    link.succeed(dispatch, { told: 'twice' });
    expect((await link.next('confirm')).ids).toEqual([dispatch.id]);
    expect(await cluster.api(0).dispatch(dispatch.id)).toMatchObject({ result: { told: 'once' } });
    expect((await states(dispatch.id)).filter((state) => state === 'succeeded')).toHaveLength(1);
    await link.close();
  });

  it('and whose broker lost its journal ends as unknown, unless it may be repeated', async ({
    broker,
    ownerDies,
  }) => {
    const first = await broker.connect(owner.url);
    const agent = await cluster.api(0).post('/api/v1/agents', {
      name: `a-${randomUUID().slice(0, 8)}`,
      broker: broker.id,
      spec: { command: 'true' },
    });
    const start = await cluster.api(0).post(`/api/v1/agents/${agent.body.id}/start`);
    await first.nextDispatch();
    const ping = await cluster.api(0).ping(broker.id);
    await first.nextDispatch();

    await ownerDies();
    broker.journalId = randomUUID();
    const link = await broker.connect(cluster.hub(0).url);
    const again = await link.nextDispatch();
    link.succeed(again);

    expect(await cluster.api(0).dispatch(start.body.dispatch.id, 10)).toMatchObject({
      state: 'failed',
      error: { code: 'outcome_unknown' },
    });
    expect(again).toMatchObject({ id: ping.body.dispatch.id, attempt: 2 });
    expect(await cluster.api(0).dispatch(again.id, 10)).toMatchObject({ state: 'succeeded' });
    await link.close();
  });

  it('is told as a replica that is gone, and lets go of its brokers, within 6 s', async ({
    broker,
    ownerDies,
  }) => {
    await broker.connect(owner.url);

    await ownerDies();

    /** By the database's clock, from its last beat to its end. */
    const noticedMs = async ({ replicaId }: HubProcess): Promise<number> => {
      const row = await eventually(
        async () => {
          const { body: replicas } = await cluster.api(0).get('/api/v1/replicas');
          const found = replicas.items.find(({ id }: { id: string }) => id === replicaId);
          return found.state === 'gone' && found;
        },
        { withinMs: 20_000 },
      );
      return Date.parse(row.endedAt) - Date.parse(row.lastSeenAt);
    };
    // Silent for five seconds it is gone, by a look each half a second: half a second is left to the machine. Where that
    // was too little, another one dies.
    let dead: HubProcess | undefined = owner;
    const leastMs = await leastOf(6_000, async () => {
      const next = dead ?? (await cluster.addReplica());
      dead = undefined;
      await next.kill();
      return noticedMs(next);
    });
    expect(leastMs).toBeLessThan(6_000);
    await eventually(async () => {
      const { body } = await cluster.api(0).get(`/api/v1/brokers/${broker.id}`);
      return body.ownership.replica === null;
    });
  });
});
