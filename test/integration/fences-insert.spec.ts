import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { Backlog } from '../../src/hub/dispatch/backlog.js';
import { PENDING_MOST } from '../../src/hub/dispatch/depths.js';
import type { Draft } from '../../src/hub/dispatch/draft.js';
import { RequestKeyRepository } from '../../src/hub/auth/request-key.repository.js';
import { ClaimRepository } from '../../src/hub/dispatch/claim.repository.js';
import { Offer } from '../../src/hub/dispatch/hand-off.js';
import { InsertRepository, type Inserted } from '../../src/hub/dispatch/insert.repository.js';
import { SettleRepository } from '../../src/hub/dispatch/settle.repository.js';
import { Sweeps } from '../../src/hub/dispatch/sweeps.js';
import { Loops } from '../../src/hub/lifecycle/loops.js';
import { expectNoLeaks } from '../support/leaks.js';
import { plainDraft } from '../support/plain-draft.js';
import { openBench, type Bench } from './support/repositories.js';
import type { PlantedBroker, Rows } from './support/rows.js';

let bench: Bench;
let rows: Rows;
let repository: InsertRepository;
let keys: RequestKeyRepository;
let broker: PlantedBroker;
const origin = randomUUID();

beforeAll(async () => {
  bench = await openBench();
  rows = bench.rows;
  repository = new InsertRepository(bench.database);
  keys = new RequestKeyRepository();
});

beforeEach(async () => {
  broker = await rows.broker();
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

const draft = (over: Partial<Draft> = {}): Draft => ({
  ...plainDraft(uuidv7()),
  brokerId: broker.id,
  deadlineS: 900,
  initiator: { kind: 'hub', id: origin, name: 'test', credentialId: null, requestId: 'test' },
  ...over,
});
const insert = (drafts: Draft[], counted: string[] = []) =>
  repository.insert(drafts, origin, counted, { projectIds: [], known: [] }, undefined);
/** Each by a statement of its own, which differs from that of many. */
const insertOneByOne = async (drafts: Draft[]) => {
  const answers: Inserted[] = [];
  for (const each of drafts) answers.push(...(await insert([each])));
  return answers;
};
const insertInto = (projectId: string, drafts: Draft[], counted: string[] = []) =>
  repository.insert(drafts, origin, counted, { projectIds: [projectId], known: [null] }, undefined);
/** All in one project, to which the broker of each is attached. */
const insertInProject = async (drafts: Draft[], counted?: string[]) => {
  const projectId = await rows.project();
  for (const brokerId of new Set(drafts.map((each) => each.brokerId))) await rows.attach(projectId, brokerId);
  return insertInto(
    projectId,
    drafts.map((each) => ({ ...each, projectId })),
    counted,
  );
};
const stored = async (ids: string[]) =>
  (await rows.sql.query('select id from broker_dispatch where id = any ($1) order by seq', [ids])).rows.map(
    ({ id }) => id,
  );

describe.each([
  ['an insert that counts and keeps keys', (drafts: Draft[]) => insert(drafts, [broker.id])],
  ['an insert that need not', (drafts: Draft[]) => insert(drafts)],
  ['an insert of one alone', insertOneByOne],
  ['an insert in a project', (drafts: Draft[]) => insertInProject(drafts)],
])('%s', (_kind, store) => {
  it('stores in the order of arrival, whatever the ids are', async () => {
    const drafts = [draft(), draft(), draft()].reverse();

    const answers = await store(drafts);

    const ids = drafts.map(({ id }) => id);
    expect(answers.map(({ id }) => id)).toEqual(ids);
    expect(await stored(ids)).toEqual(ids);
  });

  it.each<[string, Record<string, unknown>, Partial<Draft>, string]>([
    ['a broker that was revoked', { revoked_at: new Date() }, {}, 'broker_unknown'],
    ['a broker that is not capable of it', { capabilities: '["a"]' }, { capability: 'b' }, 'incapable'],
  ])('for %s stores nothing, and says why', async (_what, over, wanted, refusal) => {
    const { id: brokerId } = await rows.broker(over);
    const wrong = draft({ brokerId, ...wanted });
    const right = draft();

    expect(await store([wrong, right])).toMatchObject([
      { id: wrong.id, seq: null, refusal },
      { id: right.id, refusal: null },
    ]);
    expect(await stored([wrong.id, right.id])).toEqual([right.id]);
  });

  it('for a link that the broker does not have is refused, or waits for the next one, by its contract', async () => {
    await rows.sql.query('update broker_connection set replica_id = null where broker_id = $1', [broker.id]);
    const [now, next] = [draft({ contract: 'now_or_fail' }), draft({ contract: 'on_attach' })];

    expect(await store([now, next])).toMatchObject([{ refusal: 'offline' }, { refusal: null }]);
    expect((await rows.read(next.id)).link_epoch).toBeNull();
  });

  it('is bound to the link that the broker has, where its contract says so', async () => {
    const [bound, free] = [draft({ contract: 'now_or_fail' }), draft()];
    await store([bound, free]);

    expect((await rows.read(bound.id)).link_epoch).toBe(String(broker.epoch));
    expect((await rows.read(free.id)).link_epoch).toBeNull();
  });
});

describe.each([
  ['an insert', insert],
  ['an insert in a project', insertInProject],
])('%s', (_kind, store) => {
  it('past the cap of its broker is refused, and of no other', async () => {
    await rows.sql.query(
      `insert into broker_dispatch
         (id, broker_id, op, args, lane, state, deadline_at, origin_replica, initiator, trail)
       select gen_random_uuid(), $1, 'broker.ping', '{}', 'normal', 'pending', now() + interval '1 hour', $1, '{}', '{}'
       from generate_series(1, $2)`,
      [broker.id, PENDING_MOST - 1],
    );
    const other = await rows.broker();
    const drafts = [draft(), draft(), draft({ brokerId: other.id })];

    const answers = await store(drafts, [broker.id, other.id]);

    expect(answers.map(({ refusal }) => refusal)).toEqual([null, 'full', null]);
  });

  it('stores one command of a key, which none that was refused uses up', async () => {
    const idempotency = { scope: broker.id, key: 'k', requestHash: 'h' };
    const { id: brokerId } = await rows.broker({ capabilities: '["a"]' });
    const drafts = [
      draft({ idempotency, brokerId, capability: 'b' }),
      draft({ idempotency }),
      draft({ idempotency }),
    ];

    for (const each of drafts) await store([each]);

    expect(await stored(drafts.map(({ id }) => id))).toEqual([drafts[1]?.id]);
  });
});

describe('a command in a project', () => {
  const attached = async (
    project: Record<string, unknown> = {},
    attachment: Record<string, unknown> = {},
  ) => {
    const projectId = await rows.project(project);
    await rows.attach(projectId, broker.id, attachment);
    return projectId;
  };

  it.each<[string, string, () => Promise<string>]>([
    ['there is not', 'project_unknown', () => Promise.resolve(uuidv7())],
    ['is archived', 'project_archived', () => attached({ archived_at: new Date() })],
    [
      'its broker was shut out of',
      'attachment_revoked',
      () => attached({}, { state: 'revoked', detached_at: new Date() }),
    ],
    ['its broker was never attached to', 'unattached', () => rows.project()],
    [
      'its broker was detached from',
      'unattached',
      () => attached({}, { state: 'offline', detached_at: new Date() }),
    ],
    [
      'has a floor that its broker is below',
      'below_floor',
      () => attached({ min_broker_major: 2, min_broker_minor: 0 }),
    ],
  ])('that %s is not stored, which holds up none beside it', async (_which, refusal, make) => {
    const projectId = await make();
    const [wrong, right] = [draft({ projectId, op: 'agent.start' }), draft()];

    expect(await insertInto(projectId, [wrong, right])).toMatchObject([
      { id: wrong.id, seq: null, refusal },
      { id: right.id, refusal: null },
    ]);
    expect(await stored([wrong.id, right.id])).toEqual([right.id]);
  });

  it('asks a broker that is below the floor', async () => {
    const projectId = await attached({ min_broker_major: 2, min_broker_minor: 0 });

    expect(await insertInto(projectId, [draft({ projectId, op: 'broker.ping' })])).toMatchObject([
      { refusal: null },
    ]);
  });

  it('is refused where the project is archived while it waits for that', async () => {
    const projectId = await attached();

    const answers = await rows.meanwhile(
      'update project set archived_at = now() where id = $1',
      [projectId],
      () => insertInto(projectId, [draft({ projectId })]),
    );

    expect(answers).toMatchObject([{ seq: null, refusal: 'project_archived' }]);
  });
});

/** Each is stored by a statement of its own. The first is offered, and what comes with it is not. */
describe.each<[string, () => Draft[]]>([
  ['alone', () => [draft()]],
  ['with another', () => [draft(), draft()]],
  [
    'with an idempotency key',
    () => [draft({ idempotency: { scope: broker.id, key: randomUUID(), requestHash: 'h' } }), draft()],
  ],
])('a command that is offered to the owner of its broker, %s,', (_how, drafts) => {
  /**
   * @param isHere whether it is offered as one whose broker is linked to this replica
   * @returns the states of what was stored
   */
  const handOff = async (replicaId = broker.replicaId, isHere = true) => {
    const given = drafts();
    const backlog = { brokerId: broker.id, link: { epoch: broker.epoch } } as Backlog;
    const offer = isHere
      ? new Offer(new Map([[0, backlog]]), new Set(), given)
      : new Offer(new Map(), new Set([0]), given);
    await repository.insert(given, replicaId, [], { projectIds: [], known: [] }, offer);
    const states = [];
    for (const { id } of given) states.push(await rows.state(id));
    return states;
  };
  const allPending = () => drafts().map(() => 'pending');

  it('is stored as claimed, and nothing that was not offered', async () => {
    expect(await handOff()).toEqual(['claimed', ...allPending().slice(1)]);
  });

  it('is only stored where another replica owns the broker', async () => {
    expect(await handOff(randomUUID())).toEqual(allPending());
  });

  it('is only stored by the owner itself where it is offered to another', async () => {
    await rows.insert('broker_dispatch_floor', { broker_id: broker.id, seq: 0, ready_epoch: broker.epoch });

    expect(await handOff(broker.replicaId, false)).toEqual(allPending());
    expect(await handOff(randomUUID(), false)).toEqual(['claimed', ...allPending().slice(1)]);
  });

  it.each([
    ['has its turn', 'select pg_advisory_xact_lock(hashtextextended($1::text, 1))'],
    ['moves the connection', 'update broker_connection set epoch = epoch + 1 where broker_id = $1'],
  ])('is only stored while a connect %s', async (_what, connecting) => {
    expect(await rows.besides(connecting, [broker.id], () => handOff())).toEqual(allPending());
  });
});

describe('an idempotency key', () => {
  const kept = (over: object = {}) => ({ scope: `s-${broker.id}`, key: 'k', requestHash: 'h', ...over });

  it('is good for one command: the second is not stored, and the first is found by it', async () => {
    const [first, second] = [draft({ idempotency: kept() }), draft({ idempotency: kept() })];
    await insert([first]);

    expect(await insert([second])).toMatchObject([{ id: second.id, seq: null, refusal: null }]);

    expect(await stored([first.id, second.id])).toEqual([first.id]);
    expect(await keys.findKeys(bench.database.run, [kept()])).toMatchObject([
      { subjectId: first.id, requestHash: 'h' },
    ]);
  });

  it('is good for one command of a batch', async () => {
    const drafts = [draft({ idempotency: kept() }), draft({ idempotency: kept() })];

    await insert(drafts);

    expect(await stored(drafts.map(({ id }) => id))).toHaveLength(1);
  });

  it('of one caller is not that of another', async () => {
    const theirs = kept({ scope: `t-${broker.id}` });
    const [mine, other] = [draft({ idempotency: kept() }), draft({ idempotency: theirs })];

    await insert([mine]);
    await insert([other]);

    expect(await stored([mine.id, other.id])).toEqual([mine.id, other.id]);
    expect(await keys.findKeys(bench.database.run, [theirs])).toMatchObject([{ subjectId: other.id }]);
  });

  it('is not used up by a command that was refused', async () => {
    const idempotency = kept();
    const refused = draft({ idempotency, brokerId: uuidv7() });
    const second = draft({ idempotency });
    await insert([refused]);

    await insert([second]);

    expect(await stored([second.id])).toEqual([second.id]);
  });

  it('is no obstacle to sending its own command again, which is never taken for a repeat', async () => {
    const { id } = (await insert([draft({ idempotency: kept() })]))[0]!;
    const claim = async () => {
      const owned = [{ brokerId: broker.id, epoch: broker.epoch }];
      const asked = [{ id, brokerId: broker.id }];
      const [answer] = await new ClaimRepository(bench.database).claim(broker.replicaId, owned, asked);
      return answer?.claimed.map(({ attempt }) => attempt);
    };
    await claim();
    const error = { code: 'no_room', message: '', retryable: true };
    const settlement = { id, brokerId: broker.id, attempt: 1, said: 'retry', result: null, error } as const;
    await new SettleRepository(bench.database).settle([settlement], broker.replicaId);
    await rows.sql.query('update broker_dispatch set retry_at = now() where id = $1', [id]);

    expect(await claim()).toEqual([2]);
  });

  it('is taken once for what is no command', async () => {
    const key = { ...kept(), subjectId: uuidv7() };

    expect(await keys.keepKey(bench.database.run, key)).toBe(true);
    expect(await keys.keepKey(bench.database.run, { ...key, subjectId: uuidv7() })).toBe(false);
    expect(await keys.findKeys(bench.database.run, [key])).toMatchObject([{ subjectId: key.subjectId }]);
  });

  it('keeps the answer of its own request, and of no other', async () => {
    const all = [kept(), kept({ key: 'other' }), kept({ scope: `t-${broker.id}` })];
    for (const key of all) await keys.keepKey(bench.database.run, { ...key, subjectId: uuidv7() });

    await keys.keepAnswer(bench.database.run, kept(), { done: ['it'] });

    const found = await keys.findKeys(bench.database.run, all);
    const answers = new Map(found.map(({ scope, key, answer }) => [`${scope} ${key}`, answer]));
    expect(all.map(({ scope, key }) => answers.get(`${scope} ${key}`))).toEqual([
      { done: ['it'] },
      null,
      null,
    ]);
  });

  it('is forgotten after a day, and not sooner', async () => {
    const scope = `s-${broker.id}`;
    for (const [key, age] of [
      ['young', '23 hours'],
      ['old', '25 hours'],
    ]) {
      await rows.sql.query(
        `insert into idempotency_key values ($1, $2, 'h', gen_random_uuid(), now() - $3::interval)`,
        [scope, key, age],
      );
    }

    expect(await repository.sweepKeys(10)).toBe(1);

    const left = await keys.findKeys(
      bench.database.run,
      ['young', 'old'].map((key) => ({ scope, key })),
    );
    expect(left.map(({ key }) => key)).toEqual(['young']);
  });

  it('is left to who is at it when it is to be forgotten', async () => {
    const scope = `s-${broker.id}`;
    await rows.sql.query(
      `insert into idempotency_key values ($1, 'busy', 'h', gen_random_uuid(), now() - interval '25 hours')`,
      [scope],
    );

    const sweep = () => repository.sweepKeys(10);

    expect(
      await rows.besides('select from idempotency_key where scope = $1 for update', [scope], sweep),
    ).toBe(0);
    expect(await sweep()).toBe(1);
  });

  it('is forgotten batch by batch until none is left, or the loop is to stop', async () => {
    const loops = new Loops();
    const nobody = {} as never;
    const sweeps = new Sweeps(nobody, repository, nobody, nobody, nobody, nobody, loops);
    const left = async () =>
      Number((await rows.one(`select count(*) from idempotency_key where scope = 'many'`)).count);
    await rows.sql.query(
      `insert into idempotency_key
       select 'many', n::text, 'h', gen_random_uuid(), now() - interval '25 hours' from generate_series(1, 2500) n`,
    );

    await sweeps.forgetKeys(AbortSignal.abort());
    expect(await left()).toBe(2_500);
    await sweeps.forgetKeys();

    expect(await left()).toBe(0);
  });
});
