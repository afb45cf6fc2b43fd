import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Api } from '../support/api.js';
import { BrokerProcess } from '../support/broker-process.js';
import { Cluster } from '../support/cluster.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';

const SLOW = { withinMs: 60_000, everyMs: 100 };

/** What docs/operations.md says that a database means which is older than its brokers. */
describe('a hub on a database that was restored from a backup', () => {
  let cluster: Cluster;
  let backup: TestDatabase | undefined;
  let broker: BrokerProcess;
  let restored: HubProcess | undefined;
  let api: Api;
  let commands: { before: string; after: string };
  let epochs: { known: number; backedUp: number };
  let later: ScriptedBroker;
  let token: string;
  let agent: string;

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    const { url } = cluster.hub(0);
    const atSameAddress = { FAIRLEAD_LISTEN: new URL(url).host };
    api = cluster.api(0);
    broker = await BrokerProcess.join(api, url, 'kept');
    await broker.start(api);
    agent = await makeAgent();
    const { body: made } = await api.post('/api/v1/tokens', { name: 'leaked' });
    token = made.token;
    await broker.kill();
    await eventually(
      async () => (await api.get('/api/v1/brokers/kept')).body.ownership?.replicaId == null,
      SLOW,
    );
    const before = (await api.post(`/api/v1/agents/${agent}/start`)).body.dispatch.id;
    await cluster.hub(0).kill();
    // The sessions of a replica that was killed end a moment after it.
    backup = await eventually(() => createDatabase({ template: cluster.database }));
    const backedUp = await epochIn(backup);

    const second = await cluster.addReplica(atSameAddress);
    await broker.start(api);
    expect(await api.dispatch(before, 30)).toMatchObject({ state: 'succeeded' });
    await eventually(() => starts().length === 1, SLOW);
    const after = (await api.post(`/api/v1/agents/${agent}/restart`, undefined, { prefer: 'wait=30' })).body
      .dispatch.id;
    await eventually(() => starts().length === 2, SLOW);
    await api.call('DELETE', `/api/v1/tokens/${made.id}`);
    later = await ScriptedBroker.join(api, url, 'later');
    const known = await epochIn(cluster.database);
    await second.kill();

    commands = { before, after };
    epochs = { known, backedUp };
    restored = await HubProcess.start(backup.url, atSameAddress);
  }, 300_000);

  afterAll(async () => {
    await api
      .call('DELETE', `/api/v1/agents/${agent}`, undefined, { prefer: 'wait=30' })
      .catch(() => undefined);
    await broker.remove();
    await restored?.kill();
    await backup?.drop();
    await cluster.stop();
  });

  const witness = (): string => join(broker.home, 'starts');
  const starts = (): string[] =>
    existsSync(witness()) ? readFileSync(witness(), 'utf8').split('\n').filter(Boolean) : [];
  const makeAgent = async (): Promise<string> => {
    const spec = { command: '/bin/sh', args: ['-c', `echo $$ >> '${witness()}'; exec sleep 600`] };
    const { body } = await api.post('/api/v1/agents', { name: 'counted', broker: 'kept', spec });
    return body.id;
  };

  it('gives its broker an epoch above all that it had, though the row knows of fewer', async () => {
    expect(epochs.known).toBeGreaterThan(epochs.backedUp);

    await eventually(async () => (await epochIn(backup!)) > epochs.known, SLOW);
  });

  it('gives a command again that was live in the backup, and the broker answers without doing it twice', async () => {
    await eventually(async () => (await api.dispatch(commands.before)).state === 'succeeded', SLOW);

    expect(starts()).toHaveLength(2);
  });

  it('knows nothing of a command that was accepted after the backup', async () => {
    expect((await api.get(`/api/v1/dispatches/${commands.after}`)).status).toBe(404);
  });

  it('takes a token again that was revoked after the backup', async () => {
    expect((await new Api(cluster.hub(0).url, token).get('/api/v1/me')).status).toBe(200);
  });

  it('refuses a broker that joined after the backup', async () => {
    await expect(later.accessToken(cluster.hub(0).url)).rejects.toThrow();
  });
});

async function epochIn({ url }: TestDatabase): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query(
      `select epoch::integer from broker_connection join broker on broker.id = broker_id where broker.name = 'kept'`,
    );
    return rows[0].epoch;
  } finally {
    await client.end();
  }
}
