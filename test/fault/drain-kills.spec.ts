import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { HubProcess } from '../support/hub-process.js';
import { ScriptedBroker } from '../support/scripted-broker.js';
import { Caller } from './support/caller.js';
import { accountOf, goOn } from './support/going-on.js';
import { WorkingBroker } from './support/working-broker.js';

/** As a replica logs them, of its drain and of the shutdown after it. */
const STEPS = [
  ...['announced', 'lingered', 'asked_brokers', 'brokers_moved', 'deadline', 'released'],
  ...['connections', 'dispatch', 'loops', 'wakes', 'replica', 'peers', 'public listener', 'pool'],
];
const BROKERS = 3;
const CALLER_RESTS_MS = 20;
const OWNED_WITHIN_MS = 20_000;

describe('a replica that drains under load and is killed, when it has', () => {
  let cluster: Cluster;
  let staying: HubProcess;
  let leaving: HubProcess | undefined;
  const workers: WorkingBroker[] = [];
  const callers: Caller[] = [];

  const live = () => [leaving, staying].flatMap((hub) => hub ?? []);

  beforeAll(async () => {
    cluster = await Cluster.start(1);
    staying = cluster.hub(0);
    for (let count = 0; count < BROKERS; count += 1) {
      const broker = await ScriptedBroker.join(cluster.api(0), staying.url);
      workers.push(new WorkingBroker(broker, () => [(leaving ?? staying).url]));
      for (const key of ['a', 'b']) {
        const apis = () => live().map(({ url }) => cluster.api(0).at(url));
        callers.push(new Caller(broker.id, apis, key, CALLER_RESTS_MS));
      }
    }
  });

  afterAll(async () => {
    await Promise.all(callers.map((caller) => caller.stop()));
    await Promise.all(workers.map((worker) => worker.stop()));
    await cluster.stop();
  });

  /** Resolves when each broker is linked to this replica. */
  async function owns({ replicaId }: HubProcess): Promise<void> {
    await eventually(
      async () => {
        const { body } = await cluster.api(0).get('/api/v1/brokers');
        const owners = (body.items as { ownership: { replica: string | null } | null }[]).map(
          ({ ownership }) => ownership?.replica,
        );
        return owners.length === BROKERS && owners.every((owner) => owner === replicaId);
      },
      { withinMs: OWNED_WITHIN_MS, everyMs: 100 },
    );
  }

  const told = (hub: HubProcess, step: string) =>
    hub.line((line) => (line.msg === 'drain' || line.msg === 'stopped') && line.step === step);

  it.each(STEPS)(
    '%s: the others own its brokers, and the commands go on',
    async (step) => {
      const victim = await cluster.addReplica({
        FAIRLEAD_DRAIN_LINGER_S: '1',
        FAIRLEAD_DRAIN_DEADLINE_S: '3',
      });
      leaving = victim;
      for (const worker of workers) worker.move();
      await owns(victim);
      await goOn(callers);

      victim.signal('SIGTERM');
      // Brokers that do not move are let go at the deadline.
      if (step === 'brokers_moved') {
        await told(victim, 'asked_brokers');
        leaving = undefined;
        for (const worker of workers) worker.move();
      }
      await told(victim, step);
      await victim.kill();
      leaving = undefined;

      await owns(staying);
      await goOn(callers);
    },
    90_000,
  );

  it('any of these: every command that was accepted was done once', async () => {
    const { accepted, states, begun } = await accountOf(cluster.api(0), callers, workers);

    expect(accepted.length).toBeGreaterThan(STEPS.length * 10 * callers.length);
    expect(states).toEqual(['succeeded']);
    expect(begun).toEqual(accepted);
  }, 120_000);
});
