import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TrailRepository } from '../../src/hub/dispatch/trail.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { countingPages } from './support/explaining.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker } from './support/rows.js';

const FIRST = '00000000-0000-0000-0000-000000000000';
const LAST = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

let bench: Bench;
let broker: PlantedBroker;

beforeAll(async () => {
  bench = await openBench();
});

beforeEach(async () => {
  await bench.rows.sql.query('delete from broker_dispatch_history; delete from broker_dispatch');
  broker = await bench.rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/** Whoever has a number of its own keeps back the cleaning of all that ended after it began. */
const PIN = { name: 'pin', text: 'select pg_current_xact_id()' };
const IDLE_AT_WILL = { name: 'idle_at_will', text: 'set local idle_in_transaction_session_timeout = 0' };

/** Commands by the places that their ids give them, stored as live. */
const plant = (from: number, to: number) =>
  bench.rows.sql.query(
    `insert into broker_dispatch
       (id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
     select lpad(to_hex(n), 32, '0')::uuid, $1, 'broker.ping', '{}', 'normal', 'pending', now(), $2, '{}', '{}'
     from generate_series($3::integer, $4::integer) as n`,
    [broker.id, broker.replicaId, from, to],
  );

/** Ends live commands, where `places` is not given all. */
const end = (places: readonly number[] | null = null) =>
  bench.rows.sql.query(
    `with removed as (
       delete from broker_dispatch
       where $1::integer[] is null or id = any (select lpad(to_hex(n), 32, '0')::uuid from unnest($1::integer[]) as n)
       returning *
     )
     insert into broker_dispatch_history
       (id, seq, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
     select id, seq, broker_id, op, args, lane, 'succeeded', deadline_at, origin_replica, initiator, trail from removed`,
    [places],
  );

/** A page of either list. */
const PAGES = {
  'of a range of ids': (repository: TrailRepository, after: string, limit: number) =>
    repository.list({ after, before: LAST, brokerId: null, limit, sees: null }),
  'of what was alive within a span': (repository: TrailRepository, after: string, limit: number) =>
    repository.listAlive({
      brokerIds: [broker.id],
      after,
      from: new Date(0),
      until: new Date(Date.now() + 60_000),
      earliest: FIRST,
      limit,
    }),
};
type Page = (typeof PAGES)[keyof typeof PAGES];

/** How many pages of the database were looked at for the first page of a list. */
async function pagesReadFor(page: Page, limit: number): Promise<number> {
  let read = NaN;
  const database = countingPages(bench.database, (pages) => (read = pages));
  await page(new TrailRepository(database), FIRST, limit);
  return read;
}

describe.each(Object.entries(PAGES))('a list of trails %s', (_which, page) => {
  it.each([1, 2, 3, 7])(
    'gives live and ended ones in the order of their ids, each once, %d a page',
    async (limit) => {
      await plant(1, 9);
      await end([2, 3, 5, 9]);
      const repository = new TrailRepository(bench.database);

      const listed: [string, string][] = [];
      for (let after = FIRST; ; after = listed.at(-1)![0]) {
        const rows = await page(repository, after, limit);
        listed.push(...rows.map(({ id, state }): [string, string] => [id, state]));
        if (rows.length < limit) break;
      }

      expect(listed.map(([id, state]) => [parseInt(id.replaceAll('-', ''), 16), state])).toEqual(
        [1, 2, 3, 4, 5, 6, 7, 8, 9].map((place) => [
          place,
          [2, 3, 5, 9].includes(place) ? 'succeeded' : 'pending',
        ]),
      );
    },
  );

  it('tells of one that is live and ended at the same time, once', async () => {
    await plant(1, 2);
    await end([1]);
    await plant(1, 1);

    const rows = await page(new TrailRepository(bench.database), FIRST, 10);

    expect(rows.map(({ records, state }) => [records, state])).toEqual([
      [2, 'succeeded'],
      [1, 'pending'],
    ]);
  });

  it('does not walk what follows its page and has ended, while a transaction is open that keeps it', async () => {
    await bench.database.transaction(async (run) => {
      await run(IDLE_AT_WILL);
      await run(PIN);
      const readOf = async (places: number) => {
        await plant(places / 2 + 1, places);
        await end();
        await bench.rows.sql.query('analyze broker_dispatch_history; analyze broker_dispatch');
        return pagesReadFor(page, 10);
      };
      const few = await readOf(2_000);

      expect(await readOf(32_000)).toBeLessThan(few + 100);
    });
  });
});
