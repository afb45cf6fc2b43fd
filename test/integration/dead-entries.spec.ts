import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../../src/hub/database/database.js';
import { InsertRepository } from '../../src/hub/dispatch/insert.repository.js';
import { ListRepository, type DispatchFilter } from '../../src/hub/dispatch/list.repository.js';
import { ProjectWhyRepository } from '../../src/hub/dispatch/project-why.repository.js';
import { Sweeps } from '../../src/hub/dispatch/sweeps.js';
import { Loops } from '../../src/hub/lifecycle/loops.js';
import { expectNoLeaks } from '../support/leaks.js';
import { plainDraft } from '../support/plain-draft.js';
import { countingPages } from './support/explaining.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker } from './support/rows.js';

const FEW = 2_000;
const MANY = 32_000;
/** Pages that a statement may look at for MANY more than it does for FEW. */
const SPARE_PAGES = 100;

const origin = randomUUID();
let bench: Bench;
let repository: InsertRepository;
let pages: number | undefined;
/** Milliseconds by which this process's clock is ahead. */
let aheadMs: number;

/** While pages are counted, statements tell them in place of their rows. */
function openSwitched(): { database: Database; pagesOf(work: () => Promise<unknown>): Promise<number> } {
  const counting = countingPages(bench.database, (read) => (pages = (pages ?? 0) + read), [
    { count: 0, from: new Date() },
  ]);
  let isCounting = false;
  const database = Object.create(bench.database, {
    run: { get: () => (isCounting ? counting : bench.database).run },
    runPlanned: { get: () => (isCounting ? counting : bench.database).runPlanned },
  }) as Database;
  const pagesOf = async (work: () => Promise<unknown>) => {
    pages = undefined;
    isCounting = true;
    try {
      await work();
    } finally {
      isCounting = false;
    }
    return pages ?? NaN;
  };
  return { database, pagesOf };
}

let switched: ReturnType<typeof openSwitched>;

beforeAll(async () => {
  bench = await openBench();
  switched = openSwitched();
});

beforeEach(() => {
  aheadMs = 0;
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + aheadMs);
  repository = new InsertRepository(switched.database);
});

afterEach(() => void jest.restoreAllMocks());

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/** Whoever has a number of its own keeps back the cleaning of all that ended after it began. */
const PIN = { name: 'pin', text: 'select pg_current_xact_id()' };
const IDLE_AT_WILL = { name: 'idle_at_will', text: 'set local idle_in_transaction_session_timeout = 0' };
const pinned = (work: () => Promise<void>) =>
  bench.database.transaction(async (run) => {
    await run(IDLE_AT_WILL);
    await run(PIN);
    await work();
  });

describe('the count of the live commands of a project', () => {
  let broker: PlantedBroker;
  let projectId: string;

  beforeEach(async () => {
    await bench.rows.sql.query('truncate broker_dispatch');
    broker = await bench.rows.broker();
    projectId = await bench.rows.project({ max_pending: 1_000 });
    await bench.rows.attach(projectId, broker.id);
  });

  const live = `
    insert into broker_dispatch
      (id, broker_id, project_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
    select gen_random_uuid(), $1, $2, 'broker.ping', '{}', 'normal', 'pending', now(), $1, '{}', '{}'
    from generate_series(1, $3::integer)`;
  const endAfter = async (count: number) => {
    await bench.rows.sql.query(live, [broker.id, projectId, count]);
    await bench.rows.sql.query('delete from broker_dispatch');
    // As its owner does: those of the broker are counted from there.
    await bench.rows.sql.query(
      `insert into broker_dispatch_floor (broker_id, seq) select $1, last_value from broker_dispatch_seq_seq
       on conflict (broker_id) do update set seq = excluded.seq`,
      [broker.id],
    );
  };
  /** Stores one command, and counts those before it. */
  const store = async (): Promise<number | null | undefined> => {
    const draft = { ...plainDraft(uuidv7()), brokerId: broker.id, projectId };
    const quotas = { projectIds: [projectId], known: [null] };
    const [stored] = await repository.insert([draft], origin, [], quotas, undefined);
    return stored?.queued;
  };
  const why = () => new ProjectWhyRepository(switched.database, repository).read(projectId, broker.id);

  it.each([
    ['in an insert', store],
    ['for who asks why', why],
  ])('%s does not walk what has ended, while a transaction is open that keeps it', async (_where, count) => {
    await pinned(async () => {
      const readOf = async (ended: number) => {
        await endAfter(ended);
        // What was given out is known, and then that nothing is alive below.
        for (let times = 0; times < 2; times += 1) {
          aheadMs += 10_001;
          await store();
          await endAfter(0);
        }
        return switched.pagesOf(count);
      };
      const few = await readOf(FEW);

      expect(await readOf(MANY)).toBeLessThan(few + SPARE_PAGES);
    });
  });

  it('is whole, wherever it begins: before what lives, and before what came to be seen late', async () => {
    const late = new pg.Client(bench.url);
    await late.connect();
    await late.query('begin');
    await late.query(live, [broker.id, projectId, 1]);

    const counted = [await store()];
    aheadMs += 9_000;
    counted.push(await store());
    await late.query('commit');
    await late.end();
    for (let times = 0; times < 4; times += 1) {
      aheadMs += 9_000;
      counted.push(await store());
    }

    expect(counted).toEqual([0, 1, 3, 4, 5, 6]);
    expect((await why())?.queued).toBe(7);
    expect(repository.lowestOf(projectId)).toBeGreaterThan(0);
  });

  it('leaves out what came to be seen after more than ten seconds, until somebody looks below', async () => {
    const late = new pg.Client(bench.url);
    await late.connect();
    await late.query('begin');
    await late.query(live, [broker.id, projectId, 1]);

    const counted = [await store()];
    aheadMs += 10_001;
    counted.push(await store());
    await late.query('commit');
    await late.end();
    counted.push(await store());
    await repository.lookBelow();
    counted.push(await store());

    expect(counted).toEqual([0, 1, 2, 4]);
  });
});

describe('a list of commands', () => {
  const PAGE = 51;
  const [broker, agent, project, quietBroker, quietProject] = Array.from({ length: 5 }, () =>
    randomUUID(),
  ) as [string, string, string, string, string];
  let planted: number;

  beforeEach(async () => {
    planted = 0;
    await bench.rows.sql.query('truncate broker_dispatch; truncate broker_dispatch_history');
  });

  const idAt = (place: number) => `0198f1a2-7c44-7e11-9d5e-${place.toString(16).padStart(12, '0')}`;
  /** Commands that were alive, and have ended, in the order of their ids. */
  const plantAndEnd = async (count: number, brokerId = broker, projectId = project) => {
    await bench.rows.sql.query(
      `insert into broker_dispatch
         (id, broker_id, agent_id, project_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       select overlay($4::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, $1, $2, $3, 'broker.ping', '{}', 'normal',
              'pending', now(), $1, '{}', '{}'
       from generate_series($5::integer, $6::integer) as n
       order by n`,
      [brokerId, agent, projectId, idAt(0), planted + 1, (planted += count)],
    );
    await bench.rows.sql.query(
      `with removed as (delete from broker_dispatch returning *)
       insert into broker_dispatch_history
         (id, seq, broker_id, agent_id, project_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       select id, seq, broker_id, agent_id, project_id, op, args, lane, 'succeeded', deadline_at, origin_replica, initiator, trail
       from removed`,
    );
    await bench.rows.sql.query('analyze broker_dispatch_history; analyze broker_dispatch');
  };
  const pagesOf = (filter: Partial<DispatchFilter>) => {
    const all = {
      before: null,
      brokerId: null,
      agentId: null,
      state: null,
      op: null,
      projectId: null,
      sees: null,
    };
    const lists = new ListRepository(switched.database);
    return switched.pagesOf(() => lists.list({ ...all, limit: PAGE, ...filter }));
  };

  it.each<[string, Partial<DispatchFilter>, number]>([
    ['of all', {}, 0],
    ['of an agent', { agentId: agent }, 0],
    ['of a broker', { brokerId: broker }, 0],
    ['of a broker, further back,', { brokerId: broker }, 15_000],
    ['of a project', { projectId: project }, 0],
  ])(
    '%s does not walk what has ended and is older than its page, while a transaction is open that keeps it',
    async (_which, filter, back) => {
      await pinned(async () => {
        const readOf = async (count: number) => {
          await plantAndEnd(count);
          return pagesOf({ ...filter, before: back === 0 ? null : idAt(planted - back) });
        };
        const few = await readOf(FEW + back);

        expect(await readOf(MANY)).toBeLessThan(few + SPARE_PAGES);
      });
    },
  );

  it.each<[string, Partial<DispatchFilter>]>([
    ['of a broker', { brokerId: quietBroker }],
    ['of a project', { projectId: quietProject }],
    ['of what somebody sees', { sees: [quietProject, randomUUID()] }],
  ])(
    '%s does not walk what others have ended since, while a transaction is open that keeps it',
    async (_which, filter) => {
      await pinned(async () => {
        await plantAndEnd(PAGE, quietBroker, quietProject);
        await plantAndEnd(MANY);

        expect(await pagesOf(filter)).toBeLessThan(SPARE_PAGES + 2 * PAGE);
      });
    },
  );
});

describe('the sweep of idempotency keys', () => {
  const plant = (count: number, age: string) =>
    bench.rows.sql.query(
      `insert into idempotency_key
       select 'swept', gen_random_uuid(), 'h', gen_random_uuid(), now() - $2::interval from generate_series(1, $1::integer)`,
      [count, age],
    );
  const left = async () =>
    Number((await bench.rows.one(`select count(*) from idempotency_key where scope = 'swept'`)).count);
  const sweepsOf = () => {
    const nobody = {} as never;
    return new Sweeps(nobody, repository, nobody, nobody, nobody, nobody, new Loops());
  };

  beforeEach(async () => {
    await bench.rows.sql.query('truncate idempotency_key');
  });

  it('does not walk those that are forgotten, while a transaction is open that keeps them', async () => {
    await pinned(async () => {
      const readOf = async (count: number) => {
        const sweeps = sweepsOf();
        await plant(count, '24 hours 1 minute');
        await sweeps.forgetKeys();
        await plant(10, '24 hours');
        return switched.pagesOf(() => sweeps.forgetKeys());
      };
      const few = await readOf(FEW);

      expect(await readOf(MANY)).toBeLessThan(few + SPARE_PAGES);
    });
  });

  it('forgets what has become old since the turn before, and what was left out, at its time', async () => {
    const sweeps = sweepsOf();
    await plant(3, '25 hours');
    await sweeps.forgetKeys();
    const first = await left();
    await plant(2, '24 hours');
    await plant(1, '25 hours');
    await sweeps.forgetKeys();
    const ofLate = await left();
    aheadMs += 300_000;
    await sweeps.forgetKeys();

    expect([first, ofLate, await left()]).toEqual([0, 1, 0]);
  });
});
