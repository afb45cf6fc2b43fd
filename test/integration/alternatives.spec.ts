import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Replica } from '../../src/hub/cluster/replica.js';
import { ReplicaRepository } from '../../src/hub/cluster/replica.repository.js';
import type { Database } from '../../src/hub/database/database.js';
import type { Statement } from '../../src/hub/database/statement.js';
import { expectNoLeaks } from '../support/leaks.js';
import { openBench, type Bench } from './support/repositories.js';

/** What a replica needs for its life, and not for this. */
const unused = undefined as never;

let bench: Bench;
let replica: Replica;
let reads = 0;

beforeAll(async () => {
  bench = await openBench();
  const database = {
    run: async (statement: Statement, values: unknown[]) => {
      reads += 1;
      return bench.database.run(statement, values);
    },
  } as unknown as Database;
  replica = new Replica(unused, new ReplicaRepository(database), unused, unused, unused, unused);
});

afterAll(async () => {
  await bench.close();
  await expectNoLeaks();
});

describe('the other replicas that a broker is told', () => {
  it('are read once for all who ask at once, and anew for who asks later', async () => {
    const first = await bench.rows.replica();
    const told = await Promise.all(Array.from({ length: 50 }, () => replica.alternatives()));
    const readsForAll = reads;

    const second = await bench.rows.replica();
    const later = await replica.alternatives();

    expect(readsForAll).toBe(1);
    expect(told).toEqual(told.map(() => [`http://${first}`]));
    expect(later.sort()).toEqual([`http://${first}`, `http://${second}`].sort());
  });
});
