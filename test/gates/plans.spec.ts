import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { unsteadyPlansIn } from '../../scripts/schema/plans.js';
import { sought } from '../../src/hub/database/sought.js';
import { createDatabase, type TestDatabase } from '../support/database.js';

describe('the gate on plans', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase();
  });

  afterAll(() => database.drop());

  const faultsOf = (text: string, name = 'planted') => unsteadyPlansIn(database.url, [{ name, text }]);

  const joined = (condition: string) => `
    with asked as materialized (select unnest($1::uuid[]) as id)
    update broker_dispatch dispatch set attempt = attempt + 1 from asked where ${condition}`;

  it('finds a join that walks all live commands where the plan was made while there were none', async () => {
    const faults = await faultsOf(joined('dispatch.id = asked.id'));
    expect(faults).toContainEqual(
      expect.stringMatching(/^while it is empty planted walks all live commands: Index Scan using \w+ on/),
    );
  });

  it('passes the same join by a range', async () => {
    expect(await faultsOf(joined(sought('dispatch.id', 'asked.id')))).toEqual([]);
  });

  it('finds a statement whose index changes with what the table holds', async () => {
    const faults = await faultsOf(
      `select from broker_dispatch where broker_id = $1 and seq > $2 and ordering_key = $3 and deadline_at < $4`,
    );
    expect(faults.join('\n')).toMatch(/planted goes by .*, and else by /);
  });

  it('lets those walk that are known to, and looks at no other table', async () => {
    expect(await faultsOf('select count(*) from broker_dispatch', 'count_live_dispatches')).toEqual([]);
    expect(await faultsOf('select count(*) from broker_dispatch_history')).toEqual([]);
  });
});
