import pg from 'pg';
import type { Api } from '../../support/api.js';
import { Cluster } from '../../support/cluster.js';
import { eventually } from '../../support/eventually.js';
import type { HubProcess } from '../../support/hub-process.js';
import { BOUNDARIES } from './boundaries.js';
import { Cell, type Ground } from './cell.js';
import type { Fault } from './faults.js';
import { OwnServer } from './own-server.js';
import type { Step } from './trail-law.js';

/**
 * Two replicas, and for each boundary a broker whose command stands there: at all of them at the same moment, so that
 * one fault strikes them all.
 */
export class Stage {
  /** Why a command did not come to its boundary. */
  readonly failures = new Map<Cell, Error>();
  private silenced: { replicaId: string; since: Date } | undefined;

  private constructor(
    private readonly cluster: Cluster,
    readonly server: OwnServer | undefined,
    private readonly database: pg.Pool,
    readonly hubs: readonly [HubProcess, HubProcess],
    readonly cells: readonly Cell[],
  ) {}

  static async open({ owner, asked, crashesServer }: Fault): Promise<Stage> {
    const server = crashesServer === true ? await OwnServer.start() : undefined;
    const cluster = await Cluster.start(2, server);
    const { url: databaseUrl } = cluster.database;
    const database = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    // Its idle connections fail with the server; a statement that needs one says so itself.
    database.on('error', () => undefined);
    const hubs = { first: cluster.hub(0), second: cluster.hub(1) };
    const next = asked === 'first' ? hubs.second : hubs.first;
    const ground: Ground = {
      database,
      databaseUrl,
      ownerUrl: hubs[owner].url,
      askedUrl: hubs[asked].url,
      next: cluster.api(0).at(next.url),
    };
    const cells = BOUNDARIES.map((boundary, index) => Cell.make(boundary, `broker-${index}`, ground));
    return new Stage(cluster, server, database, [hubs.first, hubs.second], await Promise.all(cells));
  }

  /** A caller of the replica that no fault strikes. */
  get api(): Api {
    return this.cluster.api(0);
  }

  cell(when: string): Cell {
    const found = this.cells.find(({ boundary }) => boundary.when === when);
    if (found === undefined) throw new Error(`there is no boundary ${when}`);
    return found;
  }

  /** Brings each command to its boundary. One that is not accepted comes last: the hub waits 2 s for a lock. */
  async arrange(): Promise<void> {
    await this.each((cell) => cell.prepare());
    await this.each(async (cell) => cell.boundary.state !== null && cell.arrive());
    await this.each(async (cell) => cell.boundary.state === null && cell.arrive());
  }

  /** Brokers that connect from now on come to this replica. */
  aim({ url }: HubProcess): void {
    for (const { link } of this.cells) link.target = url;
  }

  /** Resolves when nobody has a connection to this replica any more. */
  async severed({ url }: HubProcess): Promise<void> {
    const isLeft = ({ link, front }: Cell) => !link.leadsTo(url) && !front.leadsTo(url);
    await eventually(() => this.cells.every(isLeft), { withinMs: 20_000 });
  }

  /** Resolves when this replica holds the connections of so many brokers. */
  async owns({ replicaId }: HubProcess, brokers: number): Promise<void> {
    await eventually(
      async () => {
        const { rowCount } = await this.database.query(
          'select from broker_connection where replica_id = $1',
          [replicaId],
        );
        return rowCount === brokers;
      },
      { withinMs: 20_000, everyMs: 50 },
    );
  }

  /** From now on this replica must not write a step. */
  async silence({ replicaId }: HubProcess): Promise<void> {
    const { rows } = await this.database.query<{ since: Date }>('select now() as since');
    this.silenced = { replicaId, since: rows[0]?.since ?? new Date() };
  }

  /** Whether a replica wrote it that must not. */
  isForbidden({ replica, at }: Step): boolean {
    const { silenced } = this;
    return silenced !== undefined && replica === silenced.replicaId && new Date(at) > silenced.since;
  }

  async letGo(): Promise<void> {
    await Promise.all(this.cells.map((cell) => cell.letGo()));
  }

  async close(): Promise<void> {
    await Promise.all(this.cells.map((cell) => cell.clear()));
    await this.database.end();
    await this.cluster.stop();
  }

  private async each(act: (cell: Cell) => Promise<unknown>): Promise<void> {
    const standing = this.cells.filter((cell) => !this.failures.has(cell));
    await Promise.all(
      standing.map((cell) => act(cell).catch((error: Error) => this.failures.set(cell, error))),
    );
  }
}
