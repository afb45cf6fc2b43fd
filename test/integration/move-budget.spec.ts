import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MoveBudgetRepository } from '../../src/hub/drain/move-budget.repository.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

let bench: Bench;
let budget: MoveBudgetRepository;

beforeAll(async () => {
  bench = await openBench();
  budget = new MoveBudgetRepository(bench.database);
});

beforeEach(async () => {
  await bench.rows.sql.query('truncate move_budget');
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

describe('the budget of moves', () => {
  it('gives the waves of all replicas turns behind one another', async () => {
    const waits = await Promise.all([60, 60, 60, 60].map((lengthS) => budget.takeTurn(lengthS)));

    // Each was asked for within the minute that the first of them takes.
    const turns = waits.sort((a, b) => a - b).map((ms) => Math.round(ms / 60_000));
    expect(turns).toEqual([0, 1, 2, 3]);
    expect(waits[0]).toBe(0);
  });

  it('saves nothing up while nobody moves', async () => {
    await budget.takeTurn(1);
    await bench.rows.sql.query(`update move_budget set free_at = now() - interval '1 hour'`);

    const first = await budget.takeTurn(60);
    const second = await budget.takeTurn(60);

    expect(first).toBe(0);
    expect(second).toBeGreaterThan(30_000);
  });
});
