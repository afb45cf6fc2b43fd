import { setTimeout as rest } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { Caller } from './support/caller.js';
import { WorkingBroker } from './support/working-broker.js';

const BROKERS = 3;
const KILLS = 3;
/** Callers must not give more than their brokers can do: what is left over would be waited for at the end. */
const CALLER_RESTS_MS = 10;

/** Faults under load: several brokers at work, a stream of commands for each key, and something that goes wrong. */
describe('commands in a stream', () => {
  let cluster: Cluster;
  let database: pg.Client;
  let live: HubProcess[];
  let spare: HubProcess[];
  let workers: WorkingBroker[];
  let callers: { caller: Caller; worker: WorkingBroker }[];

  beforeAll(async () => {
    cluster = await Cluster.start(1 + 2 + KILLS);
    live = cluster.hubs.slice(1, 3);
    spare = cluster.hubs.slice(3);
    database = new pg.Client(cluster.database.url);
    await database.connect();
  }, 120_000);

  afterAll(async () => {
    await database.end();
    await cluster.stop();
  });

  beforeEach(async () => {
    workers = [];
    callers = [];
    for (let count = 0; count < BROKERS; count += 1) {
      const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      // Each begins at another replica, and its callers at the other one.
      const worker = new WorkingBroker(broker, () => rotated(live, count).map(({ url }) => url));
      workers.push(worker);
      for (const key of ['a', 'b']) {
        const apis = () => rotated(live, count + 1).map(({ url }) => cluster.api(0).at(url));
        callers.push({ caller: new Caller(broker.id, apis, key, CALLER_RESTS_MS), worker });
      }
    }
  });

  afterEach(async () => {
    await Promise.all(callers.map(({ caller }) => caller.stop()));
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  async function count(sql: string, values: unknown[]): Promise<number> {
    return (await database.query(sql, values)).rowCount ?? 0;
  }

  /** Stops the callers and waits until nothing of theirs lives. */
  async function settled(): Promise<string[]> {
    await Promise.all(callers.map(({ caller }) => caller.stop()));
    const ids = callers.flatMap(({ caller }) => caller.accepted);
    await eventually(
      async () => {
        const { rows } = await database.query(
          'select id, state, attempt, claim_epoch, claimed_at, to_jsonb(trail::jsonb[]) as trail from broker_dispatch where id = any ($1::uuid[])',
          [ids],
        );
        if (rows.length > 0) throw new Error(`${rows.length} never ended: ${JSON.stringify(rows[0])}`);
        return true;
      },
      { withinMs: 20_000, everyMs: 200 },
    );
    return ids;
  }

  async function expectKept(ids: string[]): Promise<void> {
    const { rows } = await database.query<{ id: string; state: string; trail: { state: string }[] }>(
      'select id, state, to_jsonb(trail::jsonb[]) as trail from broker_dispatch_history where id = any ($1::uuid[])',
      [ids],
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(rows.length).toBe(ids.length);
    expect(rows.filter(({ state }) => state !== 'succeeded')).toEqual([]);
    const endings = rows.map(({ trail }) => trail.filter(({ state }) => state === 'succeeded').length);
    expect(endings.filter((count) => count !== 1)).toEqual([]);
    for (const { caller, worker } of callers) {
      const own = new Set(caller.accepted);
      expect(worker.begun.filter((id) => own.has(id))).toEqual(caller.accepted);
    }
  }

  it('end once each, in order, while all sessions of the hub are cut again and again', async () => {
    const accepted = () => callers.reduce((count, { caller }) => count + caller.accepted.length, 0);
    const until = performance.now() + 6_000;
    // While no session lasts half a second only few are accepted, and fewer where the machine is slow.
    while (performance.now() < until || (accepted() <= 10 && performance.now() < until + 30_000)) {
      await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name like 'fairlead-%'`,
      );
      await rest(150 + Math.random() * 250);
    }

    const ids = await settled();

    expect(ids.length).toBeGreaterThan(10);
    await expectKept(ids);
  });

  it('end once each, in order, while their owners are killed one after another', async () => {
    for (const next of spare) {
      const [victim] = live;
      live = [...live.slice(1), next];
      await rest(1_000);
      await victim?.kill();
      await rest(500);
    }

    const ids = await settled();

    expect(ids.length).toBeGreaterThan(50);
    await expectKept(ids);
  });

  it('end once each, in order, when their owner is paused, replaced, and goes on', async () => {
    const [paused, ...others] = live;
    await rest(1_500);

    paused?.signal('SIGSTOP');
    live = others;
    await eventually(
      async () =>
        (await count('select from broker_connection where replica_id = $1', [paused?.replicaId])) === 0,
      { withinMs: 12_000 },
    );
    for (const worker of workers) worker.move();
    const { rows: now } = await database.query<{ now: Date }>('select now()');
    await rest(3_000);
    paused?.signal('SIGCONT');
    await paused?.line(({ msg }) => msg?.includes('was declared gone') === true);
    await rest(1_500);
    const ids = await settled();
    await paused?.kill();

    await expectKept(ids);
    const written = await count(
      `select from broker_dispatch_history, unnest(trail::jsonb[]) as step
       where step ->> 'replica' = $1 and (step ->> 'at')::timestamptz > $2`,
      [paused?.replicaId, now[0]?.now],
    );
    expect(written).toBe(0);
  });
});

function rotated<T>(list: readonly T[], by: number): T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
