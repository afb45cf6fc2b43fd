import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Clock } from '../../src/hub/cluster/clock.js';
import type { Replica } from '../../src/hub/cluster/replica.js';
import type { Database } from '../../src/hub/database/database.js';
import { DatabaseUnavailable } from '../../src/hub/database/database.errors.js';
import { Heartbeats } from '../../src/hub/heartbeat/heartbeats.js';
import { PresenceRepository } from '../../src/hub/heartbeat/presence.repository.js';
import type { LoopOptions } from '../../src/hub/lifecycle/loop.js';
import type { Loops } from '../../src/hub/lifecycle/loops.js';
import { ConnectionRepository } from '../../src/hub/registry/connection.repository.js';
import type { Link } from '../../src/hub/registry/link.js';
import { Links } from '../../src/hub/registry/links.js';
import type { Ownership } from '../../src/hub/registry/ownership.js';
import { Releases } from '../../src/hub/registry/releases.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker } from './support/rows.js';

const BEAT = { t: 'heartbeat', health: 'online', load: 0.1, running: 1 } as const;

let bench: Bench;
let turn: () => Promise<void>;
let loops: Loops;
/** The statements that were run, by name, with how many brokers each. */
let run: { name: string; size: number }[];
let isAway: boolean;
let database: Database;

beforeAll(async () => {
  Logger.overrideLogger(false);
  bench = await openBench();
});

beforeEach(() => {
  run = [];
  isAway = false;
  database = {
    run: async (statement: { name: string; text: string }, values: unknown[]) => {
      if (isAway) throw new DatabaseUnavailable(undefined, 'no_effect');
      run.push({ name: statement.name, size: Array.isArray(values?.[0]) ? values[0].length : 0 });
      return bench.database.run(statement, values);
    },
  } as unknown as Database;
  loops = {
    make: (options: LoopOptions) => {
      turn = () => options.turn(new AbortController().signal);
      return { start: () => undefined, stop: () => Promise.resolve() };
    },
  } as unknown as Loops;
});

afterEach(async () => {
  await bench.rows.sql.query('truncate broker_connection, broker_presence');
});

afterAll(async () => {
  Logger.overrideLogger(undefined as never);
  await bench.close();
  await expectNoLeaks();
});

const linkOf = ({ id: brokerId, epoch }: PlantedBroker, silenceMs = 0) =>
  ({ brokerId, epoch, silenceMs, facts: { health: 'online' }, send: () => true }) as unknown as Link;

describe('heartbeats', () => {
  let links: Links;
  let heartbeats: Heartbeats;
  let rechecked: string[];

  beforeEach(() => {
    links = new Links();
    rechecked = [];
    const ownership = {
      recheck: (ids: string[]) => Promise.resolve(void rechecked.push(...ids)),
    } as unknown as Ownership;
    heartbeats = new Heartbeats(new PresenceRepository(database), links, ownership, new Clock(), loops);
    heartbeats.start();
  });

  const state = async ({ id }: PlantedBroker): Promise<string | undefined> =>
    (await bench.rows.one('select state from broker_presence where broker_id = $1', [id]))?.state;

  it('lift nobody who has said goodbye', async () => {
    const broker = await bench.rows.broker();
    const link = linkOf(broker);
    links.open(link);
    await turn();

    links.close(link, 'goodbye');
    heartbeats.beat(link, BEAT);
    await turn();
    await turn();

    expect(await state(broker)).toBe('offline');
  });

  it('lift a broker straight to what it says of itself', async () => {
    const broker = await bench.rows.broker();
    const link = linkOf(broker);
    links.open(link);
    heartbeats.beat(link, { ...BEAT, health: 'degraded' });
    await turn();
    expect(await state(broker)).toBe('degraded');

    heartbeats.beat(link, BEAT);
    await heartbeats.stop();

    expect(await state(broker)).toBe('online');
  });

  it('have a goodbye written once the database is back', async () => {
    const broker = await bench.rows.broker();
    const link = linkOf(broker);
    links.open(link);
    await turn();

    isAway = true;
    links.close(link, 'goodbye');
    await turn();
    expect(await state(broker)).toBe('online');
    isAway = false;
    await turn();

    expect(await state(broker)).toBe('offline');
  });

  it('have links compared with their rows that are not their brokers any more', async () => {
    const { id, ...broker } = await bench.rows.broker();
    links.open(linkOf({ id, ...broker, epoch: 4 }));

    await turn();

    expect(rechecked).toContain(id);
  });

  it('tell exactly when a broker was last seen whose link was cut', async () => {
    const broker = await bench.rows.broker();
    const link = linkOf(broker);
    links.open(link);
    await turn();
    await bench.rows.sql.query(`update broker_presence set last_seen_at = now() - interval '50 seconds'`);

    links.close(link, '1006');
    await turn();

    const { ageS } = await bench.rows.one(
      `select extract(epoch from now() - last_seen_at)::float8 as "ageS" from broker_presence`,
    );
    expect(ageS).toBeLessThan(30);
    expect(await state(broker)).toBe('online');
  });

  it.each([24, 600])(
    'of %i brokers are one statement a tick, in which each broker stands once a minute',
    async (count) => {
      await bench.rows.sql.query(
        `with made as (
           insert into broker (id, name, fingerprint, software)
           select gen_random_uuid(), gen_random_uuid()::text, '', 'planted' from generate_series(1, $1)
           returning id
         )
         insert into broker_connection (broker_id, replica_id, epoch, connection_id, transport, boot_id, journal_id)
         select id, id, 5, id, 'websocket', id, id from made`,
        [count],
      );
      const { rows } = await bench.rows.sql.query<{ id: string }>(
        'select broker_id as id from broker_connection',
      );
      for (const { id } of rows) links.open(linkOf({ id, epoch: 5, replicaId: id, journalId: id }));
      await turn();
      run = [];

      for (let tick = 0; tick < 12; tick += 1) await turn();

      expect(run).toEqual(Array.from({ length: 12 }, () => ({ name: 'note_quiet_beats', size: count / 12 })));
    },
  );
});

describe('a connection', () => {
  it('that could not be let go of is let go of later', async () => {
    const broker = await bench.rows.broker();
    const replica = { id: broker.replicaId } as unknown as Replica;
    const releases = new Releases(new ConnectionRepository(database), replica, loops);
    const owner = async (): Promise<string | null> =>
      (await bench.rows.one('select replica_id as owner from broker_connection')).owner;

    isAway = true;
    await releases.add(linkOf(broker), 'cut');
    await expect(turn()).rejects.toThrow(DatabaseUnavailable);
    expect(await owner()).toBe(broker.replicaId);
    isAway = false;
    await turn();
    await turn();

    expect(await owner()).toBeNull();
    expect(run).toHaveLength(1);
  });
});
