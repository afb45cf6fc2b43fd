import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { eventually } from '../../support/eventually.js';

type Columns = Record<string, unknown>;

/** A broker as its rows have it. */
export type PlantedBroker = { id: string; replicaId: string; epoch: number; journalId: string };

/** Rows in whatever state a test needs, stored behind the back of the repository that is tested. */
export class Rows {
  constructor(readonly sql: pg.Client) {}

  /** @param over ages in seconds: of the last beat, and since when it has been beating without a gap */
  async replica(over: { state?: string; seenS?: number; beatingS?: number } = {}): Promise<string> {
    const id = randomUUID();
    const { state = 'active', seenS = 0, beatingS = 60 } = over;
    await this.sql.query(
      `insert into hub_replica
         (id, name, session_name, public_url, software, protocol_min, protocol_max, state, last_seen_at, beating_since)
       values ($1, 'planted', $1::uuid::text, 'http://' || $1::uuid::text, 'planted', 1, 1, $2,
               clock_timestamp() - make_interval(secs => $3), clock_timestamp() - make_interval(secs => $4))`,
      [id, state, seenS, beatingS],
    );
    return id;
  }

  /** A broker that a replica owns under epoch 5. */
  async broker(over: Columns = {}): Promise<PlantedBroker> {
    const id = uuidv7();
    await this.insert('broker', { id, name: `b-${id}`, fingerprint: '', software: 'planted', ...over });
    const planted = { id, replicaId: randomUUID(), epoch: 5, journalId: randomUUID() };
    await this.insert('broker_connection', {
      broker_id: id,
      replica_id: planted.replicaId,
      epoch: planted.epoch,
      journal_id: planted.journalId,
      connection_id: randomUUID(),
      boot_id: randomUUID(),
      transport: 'websocket',
    });
    await this.stay(planted);
    return planted;
  }

  /** What its replica's ownership of a broker leaves behind: open, and begun an hour ago. */
  async stay({ id, replicaId, epoch }: PlantedBroker, over: Columns = {}): Promise<void> {
    await this.insert('broker_stay', {
      id: randomUUID(),
      broker_id: id,
      replica_id: replicaId,
      epoch,
      began_at: new Date(Date.now() - 3_600_000),
      ...over,
    });
  }

  /** What is left of the replicas' ownership of a broker, oldest first. */
  async stays(brokerId: string): Promise<any[]> {
    return (await this.sql.query('select * from broker_stay where broker_id = $1 order by epoch', [brokerId]))
      .rows;
  }

  /** A pending ping; one in another state was claimed by the broker's owner, once, for its journal. */
  async dispatch(broker: PlantedBroker, over: Columns = {}): Promise<string> {
    const id = uuidv7();
    const claim = {
      attempt: 1,
      claimed_by: broker.replicaId,
      claim_epoch: broker.epoch,
      claim_journal: broker.journalId,
      claimed_at: new Date(),
    };
    await this.insert('broker_dispatch', {
      id,
      broker_id: broker.id,
      op: 'broker.ping',
      args: {},
      lane: 'normal',
      state: 'pending',
      deadline_at: new Date(Date.now() + 900_000),
      origin_replica: broker.replicaId,
      initiator: {},
      trail: '{}',
      ...((over.state ?? 'pending') === 'pending' ? {} : claim),
      ...over,
    });
    return id;
  }

  async project(over: Columns = {}): Promise<string> {
    const id = uuidv7();
    await this.insert('project', { id, name: `p-${id}`, created_by: id, ...over });
    return id;
  }

  async attach(projectId: string, brokerId: string, over: Columns = {}): Promise<void> {
    await this.insert('broker_attachment', {
      id: randomUUID(),
      project_id: projectId,
      broker_id: brokerId,
      state: 'online',
      is_exclusive: false,
      attached_by: brokerId,
      ...over,
    });
  }

  async insert(table: string, columns: Columns): Promise<void> {
    const names = Object.keys(columns);
    const places = names.map((_name, index) => `$${index + 1}`);
    await this.sql.query(
      `insert into ${table} (${names.join(', ')}) values (${places.join(', ')})`,
      Object.values(columns),
    );
  }

  /** The row of a dispatch, live or ended. */
  async read(id: string): Promise<any> {
    for (const table of ['broker_dispatch', 'broker_dispatch_history']) {
      const { rows } = await this.sql.query(`select * from ${table} where id = $1`, [id]);
      if (rows.length > 0)
        return { ...rows[0], trail: rows[0].trail.map((step: string) => JSON.parse(step)) };
    }
    throw new Error(`there is no dispatch ${id}`);
  }

  async state(id: string): Promise<string> {
    return (await this.read(id)).state;
  }

  async one(query: string, values: unknown[] = []): Promise<any> {
    return (await this.sql.query(query, values)).rows[0];
  }

  /**
   * Changes rows in a transaction that is open while the work begins, and commits it once the work waits for a lock.
   *
   * @param query what is changed, or locked, meanwhile
   */
  async meanwhile<T>(query: string, values: unknown[], work: () => Promise<T>): Promise<T> {
    await this.sql.query('begin');
    try {
      await this.sql.query(query, values);
      const going = work();
      going.catch(() => undefined);
      await eventually(async () => (await this.waiting()) > 0, { withinMs: 1_500 });
      await this.sql.query('commit');
      return await going;
    } catch (error) {
      await this.sql.query('rollback');
      throw error;
    }
  }

  /** Does the work while rows are locked, which it must not wait for. */
  async besides<T>(query: string, values: unknown[], work: () => Promise<T>): Promise<T> {
    await this.sql.query('begin');
    try {
      await this.sql.query(query, values);
      return await work();
    } finally {
      await this.sql.query('rollback');
    }
  }

  private async waiting(): Promise<number> {
    const { rows } = await this.sql.query<{ count: string }>(
      `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return Number(rows[0]?.count);
  }
}
