import type { Pooler } from '../config/environment.js';
import { makeDataSource } from '../database/data-source.js';
import { Database } from '../database/database.js';
import { History, type Forgotten } from './history.js';
import { PartitionRepository } from './partition.repository.js';

/**
 * Forgets old history once, without a hub: the job of `fairlead hub retention`.
 *
 * @param olderThan days
 */
export async function forgetHistory(url: string, pooler: Pooler, olderThan: number): Promise<Forgotten> {
  const dataSource = await makeDataSource(url, 'fairlead-retention', [], pooler).initialize();
  try {
    return await new History(new PartitionRepository(new Database(dataSource))).forget(olderThan);
  } finally {
    await dataSource.destroy();
  }
}
