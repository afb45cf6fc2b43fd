import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { leftoversIn } from '../../scripts/schema/leftovers.js';
import { faultsIn, faultsOfSchema } from '../../scripts/schema/round-trip.js';
import { makeDataSource } from '../../src/hub/database/data-source.js';
import { ENTITIES } from '../../src/hub/entities.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

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

  it('passes the migrations: up, no drift, down until nothing is left, and up again', async () => {
    const empty = await createDatabase({ migrated: false });

    expect(await faultsOfSchema(empty.url)).toEqual([]);

    await empty.drop();
  });

  it.each([
    ['a column that no entity has', 'alter table agent add column extra text'],
    ['a column that the table lacks', 'alter table agent drop column detail'],
    ['another type', 'alter table agent alter column revision type bigint'],
    ['a default that the code does not know', `alter table agent alter column wanted set default 'running'`],
    ['a foreign key that is gone', 'alter table personal_token drop constraint personal_token_is_of_a_user'],
    ['an index that no entity has', 'create index agent_by_phase on agent (phase)'],
    ['a check that is gone', 'alter table agent drop constraint agent_wanted_is_known'],
  ])('fires on %s', async (_fault, sql) => {
    await dataSource.query(sql);

    expect((await faultsIn(dataSource))[0]).toContain('the entities differ');
  });

  it.each([
    [
      'broker_dispatch',
      'broker_dispatch_state_is_live',
      `state in ('pending', 'claimed', 'running', 'held')`,
    ],
    ['broker_dispatch', 'broker_dispatch_lane_is_known', `lane in ('control', 'normal')`],
    [
      'broker_dispatch_history',
      'broker_dispatch_history_state_is_ended',
      `state in ('succeeded', 'failed', 'canceled', 'expired', 'dead')`,
    ],
  ])('fires where the words of %s are not those of the code', async (table, name, check) => {
    await dataSource.query(`alter table ${table} drop constraint ${name}`);
    await dataSource.query(`alter table ${table} add constraint ${name} check (${check})`);

    expect(await faultsIn(dataSource)).toEqual([expect.stringContaining(`${name} knows`)]);
  });

  it.each([
    ['as its key', 'create index planted on broker_dispatch (broker_id, state)', 'state'],
    [
      'as a column it carries',
      'create index planted on broker_dispatch (id) include (claim_epoch)',
      'claim_epoch',
    ],
    ['in an expression', 'create index planted on broker_dispatch ((claimed_by::text))', 'claimed_by'],
    ['in its predicate', `create index planted on broker_dispatch (id) where state = 'pending'`, 'state'],
  ])('fires on an index that names a hot column %s', async (_where, sql, column) => {
    await dataSource.query(sql);

    expect(await faultsIn(dataSource)).toContain(
      `the index planted names ${column}, which every claim writes`,
    );
  });

  it('fires on a table, an index or a function that a `down` leaves behind', async () => {
    const found = await leftoversIn(dataSource);

    expect(found.join('\n')).toMatch(/ table agent$/m);
    expect(found.join('\n')).toMatch(/ index agent_by_broker$/m);
    expect(found.join('\n')).toMatch(/ function append_step$/m);
  });
});
