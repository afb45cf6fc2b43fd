import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Cluster } from '../support/cluster.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { CandidCaller, type Ask } from './support/candid-caller.js';
import { WorkingBroker } from './support/working-broker.js';

const LOUD = { FAIRLEAD_LOG_LEVEL: 'debug', FAIRLEAD_DRAIN_DEADLINE_S: '5', FAIRLEAD_DRAIN_LINGER_S: '1' };
const REPLICAS = 3;
const BROKERS = 2;
const MORE = 5;
const RESTS_MS = 100;
/** What a caller is told that is to come again: nothing was done. */
const LATER = / was answered with 503 .*database_unavailable/;

/** What docs/operations.md says of replacing the password of the database. */
describe('the password of the database, replaced in one roll under load', () => {
  const role = `r_${randomBytes(8).toString('hex')}`;
  const [old = '', fresh = '', next = ''] = Array.from({ length: 3 }, () => randomBytes(16).toString('hex'));
  let database: TestDatabase;
  let cluster: Cluster;
  let live: HubProcess[] = [];
  const workers: WorkingBroker[] = [];
  const callers: CandidCaller[] = [];
  const accepted: string[] = [];

  const admin = async (sql: string) => {
    const client = new pg.Client(process.env.FAIRLEAD_TEST_ADMIN_URL);
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  const by = (password: string) => {
    const url = new URL(database.url);
    [url.username, url.password] = [role, password];
    return { ...LOUD, DATABASE_URL: url.href };
  };
  const from = (place: number) => [...live.slice(place % live.length), ...live.slice(0, place % live.length)];

  beforeAll(async () => {
    // The tables of the template are another role's: this one may do everything, and needs no grants.
    await admin(`create role ${role} login superuser password '${old}'`);
    database = await createDatabase();
    cluster = await Cluster.start(0, database);
    for (let count = 0; count < REPLICAS; count += 1) live.push(await cluster.addReplica(by(old)));
    for (let place = 0; place < BROKERS; place += 1) {
      const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      workers.push(new WorkingBroker(broker, () => from(place).map(({ url }) => url)));
      callers.push(callerOf(broker.id, place));
    }
  });

  afterAll(async () => {
    await Promise.all(callers.map((caller) => caller.stop()));
    await Promise.all(workers.map((worker) => worker.stop()));
    await cluster.stop();
    await admin(`drop role if exists ${role}`);
  });

  /** Gives its broker one command after another, at one replica after another. */
  function callerOf(brokerId: string, place: number): CandidCaller {
    const headers = () => ({
      authorization: `Bearer ${cluster.administratorToken}`,
      prefer: 'wait=10',
      'idempotency-key': randomUUID(),
    });
    const body = { op: 'broker.ping', orderingKey: 'a' };
    const act = async (ask: Ask) => {
      const wish = { method: 'POST', headers, body };
      accepted.push((await ask(`/brokers/${brokerId}/dispatches`, wish)).body.dispatch.id);
    };
    return new CandidCaller('gives commands', () => from(place).map(({ url }) => url), act, RESTS_MS);
  }

  async function allGoOn(): Promise<void> {
    const before = callers.map(({ done }) => done);
    await eventually(() => callers.every(({ done }, place) => done >= (before[place] ?? 0) + MORE), {
      withinMs: 60_000,
    });
  }

  it('loses no command, ends no replica before its turn, and refuses nothing when the roll is over', async () => {
    await allGoOn();
    await admin(`alter role ${role} password '${fresh}'`);
    await allGoOn();
    await expect(cluster.addReplica(by(old))).rejects.toThrow('the hub ended');

    const statuses: (number | null)[] = [];
    for (const leaving of [...live]) {
      const taking = await cluster.addReplica(by(fresh));
      live = [...live.filter((hub) => hub !== leaving), taking];
      statuses.push(await leaving.stop());
      await allGoOn();
    }
    const during = callers.flatMap(({ refusals }) => refusals).length;
    await allGoOn();
    await Promise.all(callers.map((caller) => caller.stop()));

    const refusals = callers.flatMap((caller) => caller.refusals);
    expect(refusals.filter((refusal) => !LATER.test(refusal))).toEqual([]);
    expect(refusals).toHaveLength(during);
    expect(statuses).toEqual(statuses.map(() => 0));
    expect(callers.map(({ missed }) => missed)).toEqual(callers.map(() => 0));
    await eventually(() => workers.flatMap(({ begun }) => begun).length >= accepted.length);
    expect(workers.flatMap(({ begun }) => begun).sort()).toEqual(accepted.sort());
  }, 300_000);

  it('has a replica that lost its sessions answer with 503, and live on, until it is replaced', async () => {
    await admin(`alter role ${role} password '${next}'`);
    // Those of the pool: the others have their purpose behind the name.
    await admin(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where usename = '${role}' and application_name like 'fairlead-%' and application_name not like '%/%'`,
    );
    const [leaving] = live;
    const api = cluster.api(0).at(leaving?.url ?? '');

    const refused = await eventually(async () => {
      const answer = await api.get('/api/v1/brokers');
      return answer.status === 503 && answer;
    });
    const taking = await cluster.addReplica(by(next));

    expect(refused.body).toMatchObject({ code: 'database_unavailable' });
    expect((await api.get('/livez')).status).toBe(200);
    expect((await cluster.api(0).at(taking.url).get('/api/v1/brokers')).status).toBe(200);
  }, 120_000);
});
