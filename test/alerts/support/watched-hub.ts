import pg from 'pg';
import { DatabaseProxy } from '../../fault/support/database-proxy.js';
import type { Api } from '../../support/api.js';
import { Cluster } from '../../support/cluster.js';
import { Collector } from '../../support/collector.js';
import { createDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import type { HubProcess } from '../../support/hub-process.js';
import { ScriptedBroker, type ScriptedLink } from '../../support/scripted-broker.js';
import { valueIn } from './series.js';

/** More than a replica needs while it starts, when it has hundreds of modules open at once, and soon used up. */
const FILES = 1_024;

/**
 * A replica with a broker, whose ways to its database and to a collector can be harmed, scraped as Prometheus scrapes it.
 * One that is started anew takes its place under the same name.
 */
export class WatchedHub {
  private constructor(
    private readonly database: TestDatabase,
    readonly proxy: DatabaseProxy,
    readonly collector: Collector,
    private readonly cluster: Cluster,
    /** Past the proxy. */
    readonly sql: pg.Client,
  ) {
    this.collectorUrl = collector.url;
  }

  hub!: HubProcess;
  broker!: ScriptedBroker;
  link!: ScriptedLink;
  private readonly collectorUrl: string;
  private internalUrl = '';

  static async start(): Promise<WatchedHub> {
    const database = await createDatabase();
    const [proxy, collector] = await Promise.all([DatabaseProxy.start(database.url), Collector.start()]);
    const cluster = await Cluster.start(0, { url: proxy.url, drop: () => database.drop() });
    const sql = new pg.Client(database.url);
    await sql.connect();
    const watched = new WatchedHub(database, proxy, collector, cluster, sql);
    await watched.startHub();
    watched.broker = await ScriptedBroker.join(watched.api, watched.hub.url);
    watched.link = await watched.broker.connect(watched.hub.url);
    return watched;
  }

  get api(): Api {
    return this.cluster.api(this.cluster.hubs.indexOf(this.hub));
  }

  /** Past the proxy. */
  get databaseUrl(): string {
    return this.database.url;
  }

  /** Ends the replica as a crash would, and starts another one. */
  async startAnew(): Promise<void> {
    await this.hub.kill();
    await this.startHub();
  }

  async scrape(): Promise<string> {
    return (await fetch(`${this.internalUrl}/metrics`)).text();
  }

  /** @returns the first scrape of which it is true; what is counted may be known to others before it is counted */
  async scrapeOnce(isSo: (valueOf: (series: string) => number) => boolean): Promise<string> {
    return eventually(
      async () => {
        const text = await this.scrape();
        return isSo((series) => valueIn(text, series)) && text;
      },
      { withinMs: 60_000, everyMs: 50 },
    );
  }

  async stop(): Promise<void> {
    await this.sql.end();
    await this.cluster.stop();
    await Promise.all([this.proxy.stop(), this.collector.stop()]);
  }

  private async startHub(): Promise<void> {
    const env = {
      FAIRLEAD_RATE_LIMITS: 'login=1:1',
      OTEL_EXPORTER_OTLP_ENDPOINT: this.collectorUrl,
      OTEL_EXPORTER_OTLP_TIMEOUT: '1500',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_BLRP_SCHEDULE_DELAY: '50',
    };
    this.hub = await this.cluster.addReplica(env, { files: FILES });
    const { rows } = await this.sql.query('select internal_url from hub_replica where id = $1', [
      this.hub.replicaId,
    ]);
    this.internalUrl = rows[0].internal_url;
  }
}
