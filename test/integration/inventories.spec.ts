import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Replica } from '../../src/hub/cluster/replica.js';
import type { Database } from '../../src/hub/database/database.js';
import { DatabaseUnavailable } from '../../src/hub/database/database.errors.js';
import type { Statement } from '../../src/hub/database/statement.js';
import type { Backlogs } from '../../src/hub/dispatch/backlogs.js';
import { Contracts } from '../../src/hub/dispatch/contracts.js';
import { EndingRepository } from '../../src/hub/dispatch/ending.repository.js';
import type { Endings } from '../../src/hub/dispatch/endings.js';
import { FloorRepository } from '../../src/hub/dispatch/floor.repository.js';
import { Inventories } from '../../src/hub/dispatch/inventories.js';
import { InventoryRepository } from '../../src/hub/dispatch/inventory.repository.js';
import { QuietBrokers } from '../../src/hub/dispatch/quiet-brokers.js';
import { QuietRepository } from '../../src/hub/dispatch/quiet.repository.js';
import { Steps } from '../../src/hub/dispatch/steps.js';
import type { Link } from '../../src/hub/registry/link.js';
import type { Links } from '../../src/hub/registry/links.js';
import type { Ownership } from '../../src/hub/registry/ownership.js';
import type { HubFrame, InventoryEntry } from '../../src/protocol/frame.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

const replicaId = randomUUID();

let bench: Bench;
let rows: Rows;
/** The statements that were run, and how many of the next ones find the database away. */
let ran: string[];
let outages: number;
/** What became of each broker that was let have its commands. */
let ready: Map<string, { held: string[]; floor: number }>;
let rechecked: string[];
let inventories: Inventories;

beforeAll(async () => {
  Logger.overrideLogger(false);
  bench = await openBench();
  rows = bench.rows;
});

beforeEach(() => {
  ran = [];
  outages = 0;
  ready = new Map();
  rechecked = [];
  inventories = makeInventories();
});

afterAll(async () => {
  Logger.overrideLogger(['log', 'warn', 'error']);
  await bench.close();
  await expectNoLeaks();
});

/** All that an inventory goes through, down to the rows; around it stand those who are only told. */
function makeInventories(): Inventories {
  const database = {
    run: async (statement: Statement, values: readonly unknown[]) => {
      ran.push(statement.name);
      if (outages-- > 0) throw new DatabaseUnavailable(new Error('away'));
      return bench.database.run(statement, [...values]);
    },
  } as unknown as Database;
  const replica = { id: replicaId, assertMayAct: () => undefined } as unknown as Replica;
  const endings = { committed: () => undefined } as unknown as Endings;
  const backlogs = {
    judging: () => undefined,
    ready: ({ brokerId }: Link, held: readonly { id: string }[], floor: number) =>
      ready.set(brokerId, { held: held.map(({ id }) => id), floor }),
  } as unknown as Backlogs;
  const ownership = {
    recheck: (ids: string[]) => {
      rechecked.push(...ids);
      return Promise.resolve();
    },
  } as unknown as Ownership;
  return new Inventories(
    new InventoryRepository(database),
    new QuietBrokers(new QuietRepository(database), replica),
    new FloorRepository(database),
    backlogs,
    new Contracts(new EndingRepository(database), endings, {} as Links, replica),
    endings,
    new Steps(),
    ownership,
    replica,
  );
}

/** A broker of this replica, by another link than the one that its commands were claimed for. */
async function broker(): Promise<PlantedBroker> {
  const planted = await rows.broker();
  await rows.sql.query('update broker_connection set replica_id = $2 where broker_id = $1', [
    planted.id,
    replicaId,
  ]);
  return { ...planted, replicaId };
}

/** @returns the frames that the broker was sent */
async function tell(
  { id: brokerId, epoch, journalId }: PlantedBroker,
  entries: InventoryEntry[] = [],
  carries: () => boolean = () => true,
): Promise<HubFrame[]> {
  const frames: HubFrame[] = [];
  const link = {
    brokerId,
    epoch,
    facts: { journalId },
    get carriesWork() {
      return carries();
    },
    send: (frame: HubFrame) => frames.push(frame),
  } as unknown as Link;
  await inventories.took(link, { t: 'inventory', entries, last: true });
  return frames;
}

const MARK = 'mark_quiet_brokers_ready';

describe('inventories of brokers with nothing out', () => {
  it('cost one statement where many come at once, and each broker may have its commands', async () => {
    const brokers = await Promise.all(Array.from({ length: 30 }, broker));

    const frames = await Promise.all(brokers.map((one) => tell(one)));

    expect(ran).toEqual([MARK]);
    expect(frames).toEqual(brokers.map(() => [{ t: 'inventory_ok' }]));
    expect(ready).toEqual(new Map(brokers.map(({ id }) => [id, { held: [], floor: 0 }])));
  });

  it('have the answer to what they tell of commands that are over', async () => {
    const one = await broker();
    const [running, ended] = [randomUUID(), randomUUID()];

    const frames = await tell(one, [
      { id: running, attempt: 2, status: 'running' },
      { id: ended, attempt: 1, status: 'ended' },
    ]);

    expect(ran).toEqual([MARK, 'find_ids_not_live']);
    expect(frames).toEqual([
      { t: 'cancel', cancels: [{ id: running, attempt: 2 }] },
      { t: 'inventory_ok' },
      { t: 'confirm', ids: [ended] },
    ]);
  });

  it('wait while the database is away, and are taken when it is back', async () => {
    const [one, other] = [await broker(), await broker()];
    outages = 1;

    await Promise.all([tell(one), tell(other)]);

    expect(new Set(ran)).toEqual(new Set([MARK]));
    expect([...ready.keys()].sort()).toEqual([one.id, other.id].sort());
  });
});

describe('an inventory that comes among many', () => {
  it('is judged by itself where something is out, and the others are taken together', async () => {
    const [one, ...others] = await Promise.all([broker(), broker(), broker()]);
    const id = await rows.dispatch(one, { state: 'running', claim_epoch: one.epoch - 1 });

    await Promise.all([
      ...others.map((other) => tell(other)),
      tell(one, [{ id, attempt: 1, status: 'running' }]),
    ]);

    expect(ran).toEqual([
      MARK,
      'reconcile_inventory',
      'find_ids_not_live',
      'lapse_link_bound',
      'bind_to_link',
      'read_dispatch_floor',
    ]);
    expect(ready.get(one.id)?.held).toEqual([id]);
    expect(ready.size).toBe(3);
  });

  it('is answered by the cancels of what was given up meanwhile before anything else', async () => {
    const one = await broker();
    const out = { state: 'running', claim_epoch: one.epoch - 1 };
    const [id] = await Promise.all([
      rows.dispatch(one, { ...out, cancel_requested_at: new Date() }),
      rows.dispatch(one, out),
    ]);

    const frames = await tell(one, [{ id, attempt: 1, status: 'running' }]);

    expect(frames).toEqual([{ t: 'cancel', cancels: [{ id, attempt: 1 }] }, { t: 'inventory_ok' }]);
  });

  it('binds what waited for its link', async () => {
    const one = await broker();
    const id = await rows.dispatch(one, { contract: 'on_attach' });

    await Promise.all([tell(await broker()), tell(one)]);

    expect((await rows.read(id)).link_epoch).toBe(String(one.epoch));
  });

  it('is not taken on a link that is over, also beside one on the link that came after it', async () => {
    const one = await broker();

    const [frames] = await Promise.all([
      tell({ ...one, epoch: one.epoch - 1 }, [], () => rechecked.length === 0),
      tell(one),
    ]);

    expect(frames).toEqual([]);
    expect(rechecked).toEqual([one.id]);
    expect([...ready.keys()]).toEqual([one.id]);
  });
});
