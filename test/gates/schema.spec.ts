import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Column,
  Entity,
  Index,
  PrimaryColumn,
  type DataSource,
  type MigrationInterface,
  type QueryRunner,
} from 'typeorm';
import { faultsIn, faultsOfSchema } from '../../scripts/schema/round-trip.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { MIGRATIONS } from '../../src/hub/database/migrations.js';
import { ENTITIES } from '../../src/hub/entities.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { Tree } from './support/tree.js';

/** A migration of these statements, after those of the project. */
function migrationOf(
  up: string[],
  down: string[],
  name = 'Planted1890000000001',
): new () => MigrationInterface {
  const made = class implements MigrationInterface {
    name = name;

    async up(runner: QueryRunner): Promise<void> {
      for (const sql of up) await runner.query(sql);
    }

    async down(runner: QueryRunner): Promise<void> {
      for (const sql of down) await runner.query(sql);
    }
  };
  Object.defineProperty(made, 'name', { value: name });
  return made;
}

@Entity('planted')
@Index('planted_by_name', ['name'])
class Planted {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'planted_is_known_by_id' })
  id: string;

  @Column('text')
  name: string;
}

const CREATE =
  'create table planted (id uuid constraint planted_is_known_by_id primary key, name text not null)';
const INDEX = 'create index planted_by_name on planted (name)';
const DROP = 'drop table planted';

/**
 * What stands before: where a fault is planted, all that the project has would only take its time. The gate looks at the
 * indexes of the live commands, whatever else there is.
 */
const Base = migrationOf(
  [
    'create table broker_dispatch (id uuid)',
    'create table base (id uuid, revision integer)',
    'create index base_by_revision on base (revision)',
  ],
  ['drop table base, broker_dispatch'],
  'Base1890000000000',
);

describe('the gate on migrations', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createDatabase({ migrated: false });
  });

  afterEach(() => database.drop());

  const roundTrip = (up: string[], down: string[]) =>
    faultsOfSchema(database.url, { entities: [Planted], migrations: [Base, migrationOf(up, down)] });

  it('passes those of the project: up, no drift, down step by step, and up again', async () => {
    expect(await faultsOfSchema(database.url)).toEqual([]);
  });

  it('passes one more that agrees with its entity and can be taken back', async () => {
    const faults = await faultsOfSchema(database.url, {
      entities: [...ENTITIES, Planted],
      migrations: [...MIGRATIONS, migrationOf([CREATE, INDEX], [DROP])],
    });

    expect(faults).toEqual([]);
  });

  it.each([
    ['without the table of an entity', [], []],
    ['without a column of an entity', [CREATE.replace(', name text not null', '')], [DROP]],
    ['with a column of another type', [CREATE.replace('name text', 'name integer'), INDEX], [DROP]],
    ['with a column that may be null', [CREATE.replace(' not null)', ')'), INDEX], [DROP]],
    ['without an index of an entity', [CREATE], [DROP]],
    ['with an index over another column', [CREATE, INDEX.replace('(name)', '(id)')], [DROP]],
  ])('fires on one %s', async (_fault, up, down) => {
    const faults = await roundTrip(up, down);

    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join('\n')).toMatch(/^the entities differ from the migrations: .*planted/m);
  });

  it.each([
    ['a table', [CREATE, INDEX], [], 'table planted'],
    ['an index', [CREATE, INDEX, 'create index extra on base (id)'], [DROP], 'index extra'],
    [
      'a column',
      [CREATE, INDEX, 'alter table base add column extra text'],
      [DROP],
      'column base.extra: text',
    ],
    [
      'a constraint',
      [CREATE, INDEX, 'alter table base add constraint extra check (revision > 0)'],
      [DROP],
      'constraint extra',
    ],
    [
      'a function',
      [CREATE, INDEX, `create function extra() returns integer language sql return 1`],
      [DROP],
      'function extra',
    ],
    ['a type', [CREATE, INDEX, `create type extra as enum ('one')`], [DROP], 'type extra'],
    ['a sequence', [CREATE, INDEX, 'create sequence extra'], [DROP], 'sequence extra'],
    [
      'a schema',
      [CREATE, INDEX, 'create schema extra'],
      [DROP, 'drop schema if exists other'],
      'schema extra',
    ],
  ])('fires on a way back that leaves %s', async (_what, up, down, left) => {
    expect((await roundTrip(up, down)).join('\n')).toContain(
      `taking back Planted1890000000001 leaves ${left}`,
    );
  });

  it('fires on a way back that takes what was there before', async () => {
    const faults = await roundTrip([CREATE, INDEX], [DROP, 'drop index base_by_revision']);

    expect(faults.join('\n')).toContain('taking back Planted1890000000001 loses index base_by_revision');
  });

  it('fires on one that makes something else when it goes up again', async () => {
    const faults = await roundTrip(
      [
        CREATE,
        INDEX,
        `do $$ begin
           if obj_description('public'::regnamespace, 'pg_namespace') = 'planted' then drop index planted_by_name;
           else comment on schema public is 'planted'; end if;
         end $$`,
      ],
      [DROP],
    );

    expect(faults.join('\n')).toContain('going up again loses index planted_by_name');
  });

  it('fails on one that cannot be taken back at all', async () => {
    await expect(roundTrip([CREATE, INDEX], ['drop table no_such_table'])).rejects.toThrow('no_such_table');
  });
});

describe('the gate on the schema', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeEach(async () => {
    database = await createDatabase();
    dataSource = await makeDataSource(database.url, 'gate', ENTITIES).initialize();
  });

  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it.each([
    ['a column that no entity has', 'alter table agent add column extra text'],
    ['a column that the table lacks', 'alter table agent drop column detail'],
    ['another type', 'alter table agent alter column revision type bigint'],
    ['a default that the code does not know', `alter table agent alter column wanted set default 'running'`],
    ['a foreign key that is gone', 'alter table personal_token drop constraint personal_token_is_of_a_user'],
    ['an index that no entity has', 'create index agent_by_phase on agent (phase)'],
    ['an index that is gone', 'drop index agent_by_broker'],
    ['a check that is gone', 'alter table agent drop constraint agent_wanted_is_known'],
  ])('fires on %s', async (_fault, sql) => {
    await dataSource.query(sql);

    expect((await faultsIn(dataSource))[0]).toContain('the entities differ');
  });

  it.each([
    [
      'a further list for a column that the code has no words for',
      `alter table broker add constraint planted check (software in ('old', 'new'))`,
      'planted knows old, new; the code does not',
    ],
    [
      'a word in the predicate of an index',
      `create index planted on agent (id) where phase <> 'removed'`,
      'planted knows removed; the code does not',
    ],
    [
      'a word in a check of more than a list',
      `alter table agent add constraint planted check (phase = 'halted' or run_id is not null)`,
      'planted knows halted; the code does not',
    ],
  ])('fires on %s', async (_fault, sql, fault) => {
    await dataSource.query(sql);

    expect(await faultsIn(dataSource)).toContain(fault);
  });

  it('fires on an index over what the beats of brokers write', async () => {
    await dataSource.query('create index planted on broker_presence (state, last_seen_at)');

    expect(await faultsIn(dataSource)).toEqual(
      expect.arrayContaining([
        'the index planted names state, which a beat writes',
        'the index planted names last_seen_at, which a beat writes',
      ]),
    );
  });

  it('fires on a constraint that is kept by an index over a hot column', async () => {
    await dataSource.query('alter table broker_dispatch add constraint planted unique (id, claim_epoch)');

    expect(await faultsIn(dataSource)).toContain(
      'the index planted names claim_epoch, which every claim writes',
    );
  });
});

describe('the gate on the statements', () => {
  const PLANTED = [
    [`select 1 from agent where agent.phase = 'halted'`, 'phase is never halted'],
    [`update hub_replica set state = 'left' where id = $1`, 'state is never left'],
    [`select 1 from broker_dispatch where lane not in ('normal', 'slow')`, 'lane is never slow'],
  ] as const;
  let faults: string[];

  beforeAll(async () => {
    const empty = await createDatabase({ migrated: false });
    const tree = new Tree(
      Object.fromEntries(PLANTED.map(([sql], place) => [`planted-${place}.sql`, `-- planted\n${sql};\n`])),
    );
    faults = await faultsOfSchema(empty.url, { statements: tree.path });
    tree.remove();
    await empty.drop();
  });

  it.each(PLANTED)('fires on the statement %s', (_sql, fault) => {
    expect(faults).toContainEqual(expect.stringContaining(fault));
    expect(faults).toHaveLength(PLANTED.length);
  });
});

/** Each fault of a kind is told by itself, so that all of a kind can be planted in one database. */
describe('the gate on the schema, of each', () => {
  /** The faults of an up-to-date database in which something was planted. */
  async function faultsAfter(plant: (dataSource: DataSource) => Promise<void>): Promise<string[]> {
    const database = await createDatabase();
    const dataSource = await makeDataSource(database.url, 'gate', ENTITIES).initialize();
    try {
      await plant(dataSource);
      return await faultsIn(dataSource);
    } finally {
      await dataSource.destroy();
      await database.drop();
    }
  }

  /** Each list of words in the schema: its check, one word that it has, and the column. */
  const LISTS: [table: string, check: string, column: string, word: string][] = [
    ['agent', 'agent_phase_is_known', 'phase', 'stopping'],
    ['agent', 'agent_runtime_is_known', 'runtime', 'process'],
    ['agent', 'agent_wanted_is_known', 'wanted', 'deleted'],
    ['broker_connection', 'broker_connection_transport_is_known', 'transport', 'websocket'],
    ['broker_dispatch', 'broker_dispatch_lane_is_known', 'lane', 'bulk'],
    ['broker_dispatch', 'broker_dispatch_state_is_live', 'state', 'claimed'],
    ['broker_dispatch_history', 'broker_dispatch_history_state_is_ended', 'state', 'cancelled'],
    ['broker_presence', 'broker_presence_state_is_known', 'state', 'unreachable'],
    ['hub_replica', 'hub_replica_state_is_known', 'state', 'draining'],
    ['hub_user', 'hub_user_role_is_known', 'role', 'member'],
    ['personal_token', 'personal_token_access_is_known', 'access', 'read'],
    ['project_member', 'project_member_role_is_known', 'role', 'operator'],
  ];

  describe('list of words', () => {
    let replaced: string[];
    let dropped: string[];

    beforeAll(async () => {
      replaced = await faultsAfter(async (dataSource) => {
        for (const [table, check, , word] of LISTS)
          await replaceIn(dataSource, table, check, `'${word}'`, `'${word}x'`);
      });
      dropped = await faultsAfter(async (dataSource) => {
        for (const [table, check] of LISTS)
          await dataSource.query(`alter table ${table} drop constraint ${check}`);
      });
    });

    async function replaceIn(
      dataSource: DataSource,
      table: string,
      check: string,
      one: string,
      other: string,
    ): Promise<void> {
      const [{ definition }] = await dataSource.query(
        'select pg_get_constraintdef(oid) as definition from pg_constraint where conname = $1 and not coninhcount > 0',
        [check],
      );
      expect(definition).toContain(one);
      await dataSource.query(`alter table ${table} drop constraint ${check}`);
      await dataSource.query(
        `alter table ${table} add constraint ${check} ${definition.replaceAll(one, other)}`,
      );
    }

    it.each(LISTS)(
      'fires where %s, by %s, knows a word of %s in another spelling',
      (_table, check, _of, word) => {
        expect(replaced).toContain(`${check} knows ${word}x; the code does not`);
        expect(replaced).toContain(`${check} does not know ${word}; the code does`);
      },
    );

    it.each(LISTS)('fires where %s lacks the list %s for %s', (table, _check, column) => {
      expect(dropped).toContain(`no check lists the words of ${table}.${column}`);
    });
  });

  describe('index', () => {
    const HOT = ['state', 'attempt', 'claimed_by', 'claim_epoch', 'claim_journal', 'claimed_at', 'trail'];
    const INDEXES = HOT.flatMap((column) => [
      ['as its key', `as_key_${column}`, `(broker_id, ${column})`, column],
      ['as a column it carries', `carrying_${column}`, `(id) include (${column})`, column],
      ['in an expression', `in_expression_${column}`, `((${column} is null))`, column],
      ['in its predicate', `in_predicate_${column}`, `(id) where ${column} is null`, column],
    ]);
    let faults: string[];

    beforeAll(async () => {
      faults = await faultsAfter(async (dataSource) => {
        for (const [, name, definition] of INDEXES)
          await dataSource.query(`create index ${name} on broker_dispatch ${definition}`);
      });
    });

    it.each(INDEXES)('that names a hot column %s: %s', (_where, name, _definition, column) => {
      expect(faults).toContain(`the index ${name} names ${column}, which every claim writes`);
    });
  });
});
