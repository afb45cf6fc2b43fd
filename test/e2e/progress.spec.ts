import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { LIMITS } from '../../src/protocol/limits.js';
import { Cluster } from '../support/cluster.js';
import { endRest } from '../support/end-rest.js';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';

const COUNTED = `
  create table progress_written (id uuid, progress jsonb, at timestamptz default clock_timestamp());
  create function count_progress() returns trigger language plpgsql as $$
  begin
    insert into progress_written (id, progress) values (new.id, new.progress);
    return new;
  end $$;
  create trigger count_progress after update on broker_dispatch
    for each row when (new.progress is distinct from old.progress) execute function count_progress()`;

/** The callers are at replica 0; the broker is linked to replica 1. */
describe('the progress of a command', () => {
  let cluster: Cluster;
  let broker: ScriptedBroker;
  let link: ScriptedLink;
  let client: pg.Client;

  beforeAll(async () => {
    cluster = await Cluster.start(2);
    client = new pg.Client(cluster.database.url);
    await client.connect();
    await client.query(COUNTED);
  });

  afterAll(async () => {
    await client.end();
    await cluster.stop();
    await expectNoLeaks(undefined, { withinMs: 8_000 });
  });

  beforeEach(async () => {
    broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    link = await broker.connect(cluster.hub(1).url);
  });

  const path = () => `/api/v1/brokers/${broker.id}/dispatches`;
  const asked = (prefer?: string) =>
    cluster
      .api(0)
      .post(path(), { op: 'broker.ping', orderingKey: null }, prefer === undefined ? {} : { prefer });
  const progressOf = async (id: string) => (await cluster.api(0).dispatch(id)).progress;
  const written = async (id: string) =>
    (
      await client.query<{ progress: object; at: Date }>(
        'select progress, at from progress_written where id = $1 order by at',
        [id],
      )
    ).rows;
  /** Says how far it is each 300 ms, until so long has passed. */
  const goOn = async (forMs: number, say: () => void) => {
    const until = performance.now() + forMs;
    let saidAt = -Infinity;
    await eventually(
      () => {
        if (performance.now() - saidAt > 300) {
          say();
          saidAt = performance.now();
        }
        return performance.now() >= until;
      },
      { withinMs: forMs + 5_000 },
    );
  };

  it('is read from any replica, and what is not said again stays', async () => {
    const { body } = await asked();
    const dispatch = await link.nextDispatch();
    expect(body.dispatch.progress).toBeNull();

    link.ack(dispatch);
    link.progress(dispatch, { fraction: 0.25, note: 'copying\0 files' });
    await eventually(async () => (await progressOf(dispatch.id))?.fraction === 0.25);
    link.progress(dispatch, { fraction: 0.5 });
    const progress = await eventually(async () => {
      const told = await progressOf(dispatch.id);
      return told.fraction === 0.5 && told;
    });

    expect(progress).toMatchObject({ fraction: 0.5, note: 'copying\ufffd files' });
    expect(Math.abs(Date.parse(progress.at) - Date.now())).toBeLessThan(10_000);
    link.succeed(dispatch);
    expect(await cluster.api(0).dispatch(dispatch.id, 10)).toMatchObject({
      state: 'succeeded',
      progress: { fraction: 0.5 },
    });
    // It is no step: the trail keeps its place for what happens to the command.
    expect((await cluster.api(0).trail(dispatch.id)).length).toBeLessThanOrEqual(4);
    await link.close();
  });

  it('is written at most once a second, and the latest wins', async () => {
    await asked();
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);

    const begunAt = performance.now();
    for (let step = 1; step <= 500; step += 1) link.progress(dispatch, { fraction: step / 1_000 });
    await eventually(async () => (await progressOf(dispatch.id))?.fraction === 0.5, { withinMs: 15_000 });

    // How far apart two are on record depends on how long each statement took as well; how many there are does not.
    const seconds = (performance.now() - begunAt) / 1_000;
    expect((await written(dispatch.id)).length).toBeLessThanOrEqual(1 + Math.ceil(seconds));
    link.succeed(dispatch);
    await link.next('confirm');
    await link.close();
  });

  it('is taken from the broker that has it, for the attempt and the link that are out, and from nobody else', async () => {
    const { id } = (await asked()).body.dispatch;
    const dispatch = await link.nextDispatch();
    const stranger = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
    const foreign = await stranger.connect(cluster.hub(1).url);

    foreign.progress(dispatch, { note: "another's" });
    link.progress({ id, attempt: 2 }, { note: 'another attempt' });
    link.progress({ id: randomUUID(), attempt: 1 }, { note: 'unknown' });
    const moved = await broker.connect(cluster.hub(0).url, [{ id, attempt: 1, status: 'running' }]);
    link.progress(dispatch, { note: 'over the old link' });
    moved.progress(dispatch, { note: 'right' });

    expect(await eventually(async () => progressOf(id))).toMatchObject({ note: 'right' });
    expect(await written(id)).toHaveLength(1);
    moved.fail(dispatch, { retryable: true });
    await endRest(cluster.database.url, id);
    const again = await moved.nextDispatch();
    // What was told of an earlier attempt says nothing of this one.
    expect(await progressOf(id)).toBeNull();
    moved.succeed(again);
    await Promise.all([moved.close(), foreign.close()]);
  });

  it('keeps up a wait that has a window, on whichever replica, and not beyond its total', async () => {
    const begunAt = performance.now();
    const held = asked('wait=30; window=3');
    const first = await link.nextDispatch();
    // It came in where its owner is, so that nobody hints to the replica at which it is waited for.
    const { body } = await cluster.api(1).post(path(), { op: 'broker.ping', orderingKey: null });
    const second = await link.nextDispatch();
    const waiting = (id: string, prefer: string) =>
      cluster.api(0).get(`/api/v1/dispatches/${id}`, { prefer });
    const looked = waiting(body.dispatch.id, 'wait=30; window=3');
    const capped = waiting(first.id, 'wait=1; window=30');
    link.send({
      t: 'ack',
      acks: [first, second].map(({ id, attempt }) => ({ id, attempt })),
    });

    await goOn(4_500, () => {
      link.progress(first, { fraction: Math.random() });
      link.progress(second, { fraction: Math.random() });
    });
    link.succeed(first);
    link.succeed(second);

    expect((await capped).body.dispatch.state).toBe('running');
    expect((await held).body.dispatch.state).toBe('succeeded');
    expect((await looked).body.dispatch.state).toBe('succeeded');
    expect(performance.now() - begunAt).toBeGreaterThan(4_400);
    await link.close();
  });

  it('ends a wait as soon as nothing was heard for its window', async () => {
    const begunAt = performance.now();
    const waiting = asked('wait=30; window=1');
    const dispatch = await link.nextDispatch();
    link.ack(dispatch);

    const { status, body } = await waiting;

    expect([status, body.dispatch.state]).toEqual([202, 'running']);
    expect(performance.now() - begunAt).toBeLessThan(10_000);
    link.succeed(dispatch);
    await link.close();
  });

  it('is also that the state of its agent has changed', async () => {
    const name = `moves-${randomUUID().slice(0, 8)}`;
    const made = await cluster
      .api(0)
      .post('/api/v1/agents', { name, broker: broker.id, spec: { command: 'true' } });
    const { body } = await cluster.api(0).post(`/api/v1/agents/${name}/start`);
    const started = await link.nextDispatch();
    const { id } = body.dispatch;
    const report = { agentId: made.body.id, runId: started.args.runId as string };

    link.send({
      t: 'event',
      agents: [{ ...report, phase: 'running', exitCode: null, detail: null, restarts: 0 }],
    });

    expect(await eventually(() => progressOf(id))).toMatchObject({ fraction: null, note: null });
    link.succeed(started);
    await link.close();
  });

  it('past its caps ends the link, as any malformed frame does', async () => {
    await asked();
    const { id, attempt } = await link.nextDispatch();

    link.progress({ id, attempt }, { note: 'x'.repeat(LIMITS.progressNoteLength + 1) });

    expect((await link.closed).code).toBe(4400);
  });
});
