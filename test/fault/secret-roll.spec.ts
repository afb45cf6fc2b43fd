import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { Caller } from './support/caller.js';
import { accountOf, goOn } from './support/going-on.js';
import { WorkingBroker } from './support/working-broker.js';

const OLD = randomBytes(32).toString('hex');
const NEW = randomBytes(32).toString('hex');

/** What a replica is started with in each of the three rolls, and before them. */
const BEFORE = { FAIRLEAD_CLUSTER_SECRET: OLD };
const ROLLS = [
  { FAIRLEAD_CLUSTER_SECRET: OLD, FAIRLEAD_CLUSTER_SECRET_PREVIOUS: NEW },
  { FAIRLEAD_CLUSTER_SECRET: NEW, FAIRLEAD_CLUSTER_SECRET_PREVIOUS: OLD },
  { FAIRLEAD_CLUSTER_SECRET: NEW },
];
const LOUD = { FAIRLEAD_LOG_LEVEL: 'debug', FAIRLEAD_DRAIN_DEADLINE_S: '3' };
const REPLICAS = 2;
const BROKERS = 4;
const CALLER_RESTS_MS = 50;

describe('the secret of a cluster, replaced in three rolls under load', () => {
  let cluster: Cluster;
  let live: HubProcess[] = [];
  const workers: WorkingBroker[] = [];
  const callers: Caller[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start(0);
    for (let count = 0; count < REPLICAS; count += 1)
      live.push(await cluster.addReplica({ ...BEFORE, ...LOUD }));
    for (let count = 0; count < BROKERS; count += 1) {
      const broker = await ScriptedBroker.join(cluster.api(0), cluster.hub(0).url);
      workers.push(new WorkingBroker(broker, () => from(count).map(({ url }) => url)));
      const apis = () => from(count + 1).map(({ url }) => cluster.api(0).at(url));
      callers.push(new Caller(broker.id, apis, 'a', CALLER_RESTS_MS));
    }
  });

  afterAll(async () => {
    await Promise.all(callers.map((caller) => caller.stop()));
    await Promise.all(workers.map((worker) => worker.stop()));
    await cluster.stop();
  });

  const apiOf = (hub: HubProcess | undefined) => cluster.api(0).at(hub?.url ?? '');
  const from = (place: number) => [...live.slice(place % live.length), ...live.slice(0, place % live.length)];

  /** Links to other replicas that were refused to this one, by what it logged. */
  const refused = ({ lines }: HubProcess) =>
    lines.filter(
      ({ msg, err }) =>
        msg === 'no link for hints: NOTIFY carries them' &&
        (err as { why?: string }).why === 'it takes none of our secrets',
    );

  async function replace(old: HubProcess, env: Record<string, string>): Promise<number | null> {
    const next = await cluster.addReplica({ ...env, ...LOUD });
    live = [...live.filter((hub) => hub !== old), next];
    return old.stop();
  }

  it('refuses no replica a link at any step, and does each command once', async () => {
    await goOn(callers);
    for (const env of ROLLS) {
      for (const old of live) {
        expect(await replace(old, env)).toBe(0);
        await goOn(callers);
      }
    }

    const { accepted, states, begun } = await accountOf(apiOf(live[0]), callers, workers);
    expect(states).toEqual(['succeeded']);
    expect(begun).toEqual(accepted);
    expect(cluster.hubs.flatMap(refused)).toEqual([]);
  }, 240_000);

  it('shuts out whoever has the old one alone, and its commands arrive through NOTIFY', async () => {
    const late = await cluster.addReplica({ ...BEFORE, ...LOUD });
    const [worker] = workers;

    const answer = await apiOf(late).ping(String(worker?.brokerId), { waitS: 20 });

    expect(answer.body.dispatch.state).toBe('succeeded');
    await eventually(() => refused(late).length > 0);
  }, 60_000);
});
