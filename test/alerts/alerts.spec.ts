import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { queriesOf } from '../../scripts/dashboards/dashboards.js';
import { DatabaseProxy } from '../fault/support/database-proxy.js';
import { Cluster } from '../support/cluster.js';
import { createDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { ScriptedBroker, type ScriptedLink } from '../support/scripted-broker.js';
import { CUT_OFF, GONE, TROUBLED } from './support/shown.js';
import { checkQueries, judge, promtool, ruleFiles, type Scraped } from './support/series.js';

const BROKERS = 4;

/** What replicas export is scraped as Prometheus scrapes it, from their internal listener, and judged by the chart's rules. */
describe('the alerts', () => {
  let cluster: Cluster;
  let proxy: DatabaseProxy;
  let internalUrl: string;
  const links: ScriptedLink[] = [];
  const brokers: ScriptedBroker[] = [];
  let healthy: Scraped[];

  beforeAll(async () => {
    const database = await createDatabase();
    proxy = await DatabaseProxy.start(database.url);
    cluster = await Cluster.start(0, { url: proxy.url, drop: () => database.drop() });
    const hub = await cluster.addReplica({ FAIRLEAD_RATE_LIMITS: 'read=1:2' });
    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query(`select internal_url from hub_replica where state = 'active'`);
    await client.end();
    internalUrl = rows[0].internal_url;
    for (let count = 0; count < BROKERS; count += 1) {
      const broker = await ScriptedBroker.join(cluster.api(0), hub.url);
      brokers.push(broker);
      links.push(await broker.connect(hub.url));
    }
    await ping('succeed');
    const first = await scrape();
    await ping('succeed');
    healthy = [
      { text: first, minutes: 2 },
      { text: await scrape(), minutes: 30 },
    ];
  });

  afterAll(async () => {
    await cluster.stop();
    await proxy.stop();
  });

  const scrape = async (): Promise<string> => (await fetch(`${internalUrl}/metrics`)).text();
  const sample = (text: string, name: string): number =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  /** Three commands to the first broker, which end as told. */
  const ping = async (ending: 'succeed' | 'fail'): Promise<void> => {
    for (let count = 0; count < 3; count += 1) {
      const asked = cluster.api(0).ping(brokers[0]!.id, { waitS: 10 });
      const dispatch = await links[0]!.nextDispatch();
      links[0]!.ack(dispatch);
      links[0]![ending](dispatch);
      await asked;
    }
  };

  it('are rules that Prometheus takes, and so are the queries of the dashboards', async () => {
    expect(await promtool('check', 'rules', ...ruleFiles())).toBe('');
    expect(await checkQueries(queriesOf().map(({ query }) => query))).toBe('');
    expect(await checkQueries(['sum by (le (fairlead_brokers_connected)'])).toContain('could not parse');
  });

  it('are silent over a healthy hub', async () => {
    expect(await judge(healthy, [{ atMinute: 20, firing: [] }])).toBe('');
  });

  it('would be found out where one that fires was expected', async () => {
    expect(await judge(healthy, [{ atMinute: 20, firing: ['FairleadBrokersLost'] }])).toContain('FAILED');
  });

  it('fire where no replica is scraped any more', async () => {
    const gone = [...healthy.slice(0, 1), { text: '', minutes: 10 }];

    expect(await judge(gone, [{ atMinute: 12, firing: GONE }])).toBe('');
  });

  it('fire one by one over a hub whose callers, commands, brokers and database go wrong', async () => {
    const before = healthy.slice(0, 1);
    await ping('fail');
    await ping('fail');
    await Promise.all(Array.from({ length: 400 }, () => cluster.api(0).get('/api/v1/brokers')));
    await Promise.all(links.slice(1).map((link) => link.close()));
    const troubled = await eventually(async () => {
      const text = await scrape();
      // So many requests at once may keep a slow machine from its beats: that is not what is shown here.
      const isWell =
        sample(text, 'fairlead_replica_may_act') === 1 && sample(text, 'fairlead_wake_by_notify') === 1;
      return isWell && sample(text, 'fairlead_brokers_connected') === 1 && text;
    });
    const thaw = proxy.freeze();
    const cutOff = await eventually(
      async () => {
        const text = await scrape();
        const isDeaf = sample(text, 'fairlead_wake_by_notify') === 0;
        return (
          isDeaf &&
          sample(text, 'fairlead_replica_may_act') === 0 &&
          sample(text, 'fairlead_loop_faults') >= 5 &&
          text
        );
      },
      { withinMs: 60_000, everyMs: 500 },
    );
    thaw();

    const said = await judge(
      [...before, { text: troubled, minutes: 6 }, { text: cutOff, minutes: 10 }],
      [
        { atMinute: 1, firing: [] },
        { atMinute: 5, firing: TROUBLED },
        { atMinute: 16, firing: ['FairleadBrokersLost', ...CUT_OFF] },
      ],
    );

    expect(said).toBe('');
  });
});
