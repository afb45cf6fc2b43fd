import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ListRepository, type DispatchFilter } from '../../src/hub/dispatch/list.repository.js';
import { EXCEPTIONS } from '../../src/hub/dispatch/state.js';
import { PageQuery, readPage } from '../../src/hub/http/page.js';
import { expectNoLeaks } from '../support/leaks.js';
import { explaining } from './support/explaining.js';
import { openBench, type Bench } from './support/repositories.js';

const EVERYTHING: DispatchFilter = {
  before: null,
  brokerId: null,
  agentId: null,
  state: null,
  op: null,
  projectId: null,
  limit: 500,
  sees: null,
};
const MIB = 1024 * 1024;
const DAYS = 3;

let bench: Bench;
let repository: ListRepository;
const [broker, other, agent, project, busy] = Array.from({ length: 5 }, () => randomUUID()) as [
  string,
  string,
  string,
  string,
  string,
];

beforeAll(async () => {
  bench = await openBench();
  repository = new ListRepository(bench.database);
  for (let days = 0; days < DAYS; days += 1)
    await bench.rows.sql.query(
      `select make_history_partition((now() at time zone 'UTC')::date - $1::integer)`,
      [days],
    );
});

beforeEach(async () => {
  await bench.rows.sql.query('delete from broker_dispatch_history; delete from broker_dispatch');
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

/**
 * Ended commands of one op, so many on each of some days and in the default partition: all succeeded, of one busy project and of
 * one broker, but for what is given of those that came first on each day.
 */
async function plantDays(each: number, first: { count: number } & Record<string, unknown>): Promise<void> {
  const { count, ...columns } = first;
  await bench.rows.sql.query(
    `insert into broker_dispatch_history
       (id, seq, broker_id, op, args, lane, state, project_id, agent_id, deadline_at, origin_replica, initiator, trail)
     select overlay(first_uuid_of((now() at time zone 'UTC')::date - days)::text placing lpad(to_hex(n), 12, '0') from 25)::uuid,
            n, case when n <= $2 then coalesce($3::uuid, $7) else $7 end, 'broker.ping', '{}', 'normal',
            case when n <= $2 then coalesce($4::text, 'succeeded') else 'succeeded' end,
            case when n <= $2 then coalesce($5::uuid, $8) else $8 end, case when n <= $2 then $6::uuid end,
            now(), $7, '{}', '{}'
     from generate_series(0, ${DAYS}) as days, generate_series(1, $1::integer) as n`,
    [each, count, columns.broker_id, columns.state, columns.project_id, columns.agent_id, broker, busy],
  );
  await bench.rows.sql.query('analyze broker_dispatch_history');
}

/** The plan of a list, with what it came to. */
async function planOf(filter: Partial<DispatchFilter>): Promise<string[]> {
  let plan: string[] = [];
  const database = explaining(bench.database, 'costs off, timing off, summary off', (lines) => {
    plan = lines.map(String);
  });
  await new ListRepository(database).list({ ...EVERYTHING, limit: 51, ...filter });
  return plan;
}

/** The indexes of partitions that belong to one of the history. */
const partsOf = async (index: string): Promise<string[]> =>
  (
    await bench.rows.sql.query(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass`,
      [index],
    )
  ).rows.map(({ name }) => name);

describe('a list of commands', () => {
  it.each([
    ['in a state that is an exception', { state: 'dead' }, { state: 'dead' }, 'of_exceptions'],
    ['of an agent', { agent_id: agent }, { agentId: agent }, 'of_agent'],
    ['of a project', { project_id: project }, { projectId: project }, 'of_project'],
    ['of what somebody sees', { project_id: project }, { sees: [project, randomUUID()] }, 'of_project'],
    ['of a broker', { broker_id: other }, { brokerId: other }, 'by_broker'],
  ] as const)(
    '%s reads what it lists of the history, and nothing else',
    async (_which, of, filter, index) => {
      // So frequent that the newest rows of all seem a good place to look, and none of them there.
      await plantDays(2_000, { count: 600, ...of });

      const plan = await planOf(filter);

      const scans = plan.flatMap((line) => {
        const [, way, name] =
          /(\w[\w ]* Scan)(?: Backward)?(?: using (\w+))? on broker_dispatch_history/.exec(line) ?? [];
        return way === undefined ? [] : [{ way, name }];
      });
      const parts = await partsOf(`broker_dispatch_history_${index}`);
      expect(parts).toHaveLength(DAYS + 1);
      expect(scans.map(({ way }) => way)).toEqual(scans.map(() => 'Index Scan'));
      expect(new Set(scans.map(({ name }) => name))).toEqual(new Set(parts));
      // What is read and left out again: nothing of the history.
      expect(plan.filter((line) => /Rows Removed by (Index Recheck|Filter)/.test(line))).toEqual([]);
      const { rows } = await repository.list({ ...EVERYTHING, ...filter });
      expect(rows).toHaveLength(EVERYTHING.limit);
    },
  );

  it.each([
    ['', 0],
    [', also where many others were stored since', 100_000],
  ])(
    'is whole and in order by whatever is asked for, over what is alive and what has ended%s',
    async (_which, since) => {
      const places = { brokers: [broker, other], agents: [null, agent], projects: [null, project, busy] };
      const one = <T>(all: readonly T[], n: number) => all[n % all.length] as T;
      const planted = await plantMixed(120, places);
      await bench.rows.sql.query(
        `select setval('broker_dispatch_seq_seq', last_value + $1::bigint) from broker_dispatch_seq_seq`,
        [since],
      );
      const filters: Partial<DispatchFilter>[] = [
        ...[null, ...EXCEPTIONS, 'succeeded', 'pending'].map((state) => ({ state })),
        ...[null, broker, other].map((brokerId) => ({ brokerId })),
        ...[null, agent].map((agentId) => ({ agentId })),
        ...[null, 'own.one'].map((op) => ({ op })),
        ...[null, project, busy].map((projectId) => ({ projectId })),
        ...[null, [], [project], [project, busy]].map((sees) => ({ sees })),
      ] as Partial<DispatchFilter>[];

      for (let n = 0; n < filters.length * filters.length; n += 1) {
        const filter = { ...EVERYTHING, ...one(filters, n), ...one(filters, Math.floor(n / filters.length)) };
        const before = n % 3 === 0 ? (planted[60]?.id ?? null) : null;
        const wanted = planted.filter(
          (row) =>
            (before === null || row.id < before) &&
            (filter.state === null || row.state === filter.state) &&
            (filter.brokerId === null || row.broker_id === filter.brokerId) &&
            (filter.agentId === null || row.agent_id === filter.agentId) &&
            (filter.op === null || row.op === filter.op) &&
            (filter.projectId === null || row.project_id === filter.projectId) &&
            (filter.sees === null || (row.project_id !== null && filter.sees.includes(row.project_id))),
        );

        const { rows } = await repository.list({ ...filter, before, limit: 20 });

        expect([filter, rows.map(({ id }) => id)]).toEqual([filter, wanted.slice(0, 20).map(({ id }) => id)]);
      }
    },
  );

  type Mixed = {
    id: string;
    state: string;
    op: string;
    broker_id: string;
    agent_id: string | null;
    project_id: string | null;
  };

  /** Newest first: a half of them alive. */
  async function plantMixed(
    count: number,
    {
      brokers,
      agents,
      projects,
    }: { brokers: string[]; agents: (string | null)[]; projects: (string | null)[] },
  ): Promise<Mixed[]> {
    const ended = [...EXCEPTIONS, 'succeeded'];
    const planted: Mixed[] = [];
    for (let n = 0; n < count; n += 1) {
      const state = n % 2 === 0 ? 'pending' : (ended[(n >> 1) % ended.length] ?? 'dead');
      const row = {
        id: `0198f1a2-7c44-7e11-9d5e-${n.toString(16).padStart(12, '0')}`,
        state,
        op: n % 7 < 2 ? 'own.one' : 'broker.ping',
        broker_id: brokers[n % 3 === 0 ? 1 : 0] ?? broker,
        agent_id: agents[n % 5 === 0 ? 1 : 0] ?? null,
        project_id: projects[(n >> 2) % projects.length] ?? null,
      };
      planted.unshift(row);
      await bench.rows.insert(state === 'pending' ? 'broker_dispatch' : 'broker_dispatch_history', {
        ...row,
        ...(state === 'pending' ? {} : { seq: n }),
        args: {},
        lane: 'normal',
        deadline_at: new Date(),
        origin_replica: randomUUID(),
        initiator: {},
        trail: '{}',
      });
    }
    return planted;
  }
});

describe('a page of commands with large results', () => {
  const COUNT = 60;

  /** A quarter of a MiB of each: half of them of one letter, which is stored in little, and half of what cannot be. */
  const plantLarge = async (column: 'result' | 'args', state: string): Promise<void> => {
    await bench.rows.sql.query(
      `insert into broker_dispatch_history
         (id, seq, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail, ${column === 'result' ? 'result' : 'error'})
       select overlay('0198f1a2-7c44-7e11-9d5e-000000000000' placing lpad(to_hex(n), 12, '0') from 25)::uuid, n, $1, 'broker.ping',
              ${column === 'args' ? `jsonb_build_object('text', text)` : `'{"large": true}'`}, 'normal', $2, now(), $1, '{}', '{}',
              ${column === 'result' ? `jsonb_build_object('text', text)` : 'null'}
       from generate_series(1, ${COUNT}) n,
            lateral (
              select case when n % 2 = 0 then repeat('a', 262000)
                          else (select string_agg(md5(n::text || part), '') from generate_series(1, 8187) part) end as text
            ) of_quarter`,
      [broker, state],
    );
  };

  it('ends early, and those behind it have each once', async () => {
    await plantLarge('result', 'succeeded');
    const query = Object.assign(new PageQuery(), { limit: 500 });
    const pages: { id: string; result: unknown; args: unknown }[][] = [];

    do {
      const { rows, nextCursor } = await readPage('all', query, (before, limit) =>
        repository.list({ ...EVERYTHING, before, limit }),
      );
      pages.push(rows);
      if (nextCursor === null) delete query.cursor;
      else query.cursor = nextCursor;
    } while (query.cursor !== undefined && pages.length <= COUNT);

    for (const page of pages) {
      expect(page.length).toBeGreaterThan(0);
      expect(JSON.stringify(page.map(({ result }) => result)).length).toBeLessThan(4 * MIB + MIB / 2);
    }
    const ids = pages.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(COUNT);
    expect(ids).toEqual([...ids].sort().reverse());
    expect(pages.length).toBeLessThanOrEqual(Math.ceil((COUNT * 0.25) / 4) + 1);
    expect(pages.flat().map(({ args }) => args)).toEqual(ids.map(() => ({})));
  });

  it('of messages ends early by what they say', async () => {
    await plantLarge('args', 'succeeded');

    const { rows, isCut } = await repository.list({ ...EVERYTHING, withArgs: true });

    expect(isCut).toBe(true);
    expect(JSON.stringify(rows.map(({ args }) => args)).length).toBeLessThan(4 * MIB + MIB / 2);
  });

  it('of what is to be done again ends early by its arguments, and has each once', async () => {
    await plantLarge('args', 'dead');
    const ids: string[] = [];
    let before: string | null = null;
    const filter = { state: 'dead', brokerId: null, op: null, sees: null, limit: 501 } as const;

    for (let pages = 0; pages <= COUNT; pages += 1) {
      const { rows, isCut } = await repository.listNotRedriven({ ...filter, before });
      expect(JSON.stringify(rows.map(({ args }) => args)).length).toBeLessThan(4 * MIB + MIB / 2);
      ids.push(...rows.map(({ id }) => id));
      before = rows.at(-1)?.id ?? null;
      if (!isCut) break;
    }

    expect(new Set(ids).size).toBe(COUNT);
    expect(ids).toHaveLength(COUNT);
  });
});

describe('the lists of a replica', () => {
  /** Lists that go on until they are ended. */
  function openLists() {
    const going: (() => void)[] = [];
    const runPlanned = () => new Promise((resolve) => going.push(() => void resolve([])));
    const lists = new ListRepository(Object.create(bench.database, { runPlanned: { value: runPlanned } }));
    return { lists, going };
  }

  const turnOver = () => new Promise(setImmediate);

  afterEach(() => {
    jest.useRealTimers();
  });

  it('go two at a time, and the others after them', async () => {
    const { lists, going } = openLists();

    const asked = Promise.all([1, 2, 3, 4].map(() => lists.list(EVERYTHING)));
    await turnOver();
    expect(going).toHaveLength(2);
    going[0]?.();
    await turnOver();
    expect(going).toHaveLength(3);

    for (let n = 1; n < 4; n += 1) {
      going[n]?.();
      await turnOver();
    }
    expect(await asked).toHaveLength(4);
  });

  it('are refused with 503 where 64 wait already', async () => {
    const { lists, going } = openLists();
    const asked = Promise.all(Array.from({ length: 66 }, () => lists.list(EVERYTHING)));

    const refused = lists.list(EVERYTHING);

    await expect(refused).rejects.toMatchObject({ code: 'lists_busy', status: 503, retryAfterS: 2 });
    while (going.length > 0) {
      going.shift()?.();
      await turnOver();
    }
    expect(await asked).toHaveLength(66);
  });

  it('are refused in the same way where two others have not ended for five seconds', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance'] });
    const { lists, going } = openLists();
    const stuck = [lists.list(EVERYTHING), lists.list(EVERYTHING)];
    const told: unknown[] = [];
    const third = lists.list(EVERYTHING).catch((error: unknown) => told.push(error));

    await jest.advanceTimersByTimeAsync(4_999);
    expect(told).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);

    expect(told).toEqual([expect.objectContaining({ code: 'lists_busy' })]);
    for (const end of going) end();
    await Promise.all([...stuck, third]);
    expect(going).toHaveLength(2);
  });
});
